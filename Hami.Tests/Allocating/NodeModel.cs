extern alias agent;

using System.Text;
using System.Text.Json;
using agent::Kubelet.DevicePlugin.V1Beta1;
using Google.Protobuf;
using Grpc.Core;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;
using Hami.NodeAgent.Releasing;
using Hami.Tests.Given;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Allocating;

/// <summary>The agent was killed in the middle of what it did.</summary>
internal sealed class AgentKilled() : Exception("The agent was killed here.");

/// <summary>
/// A node in one thread: the agent's own code, and a kubelet that follows data/kubernetes-1.36/kubelet.md (pods one after another, ids in any
/// order, an init container's ids again, a checkpoint after each container, PreStartContainer before every start).
/// </summary>
internal sealed class NodeModel : IPodResources, IAsyncDisposable
{
    private const string Resource = NodePods.Resource;

    private static readonly AgentOptions Options = new()
    {
        NodeName = "node-1", DeviceFile = "devices.yaml", AcceptUnsigned = true, Handing = new() { LimitsByFile = true },
    };

    private static readonly Card[] Cards = [new("GPU-a", "NVIDIA A100", 40960, null, true), new("GPU-b", "NVIDIA A100", 40960, null, true) { Index = 1, Minor = 1 }];

    private readonly Random lot;
    private readonly FakeTimeProvider time = new(DateTimeOffset.UnixEpoch.AddYears(50));
    private readonly ModelApi api = new();
    private readonly MemoryFiles files;
    private readonly List<string> told = [];

    // The kubelet's: what it holds in memory, which its checkpoint says too, and the pods it has taken in, in order.
    private readonly List<Grant> grants = [];
    private readonly List<Run> runs = [];
    private readonly Dictionary<string, HashSet<string>> reusable = new(StringComparer.Ordinal);

    private Agent? agent;
    private int killIn = -1;
    private int memory = 1000;
    private int bound;

    public NodeModel(int seed, bool calm)
    {
        lot = new(seed);
        Calm = calm;
        files = new(Moment) { Now = time.GetUtcNow() };
        files.Place(Options.LibraryFile, Encoding.UTF8.GetBytes("the library"));
        api.Moment = Moment;
    }

    /// <summary>Nothing breaks: the kubelet answers, nobody is killed, the API server is there.</summary>
    public bool Calm { get; }

    public bool PodResourcesSilent { get; set; }

    public int Rejected => runs.Count(r => r.Rejected is not null);

    public int Started { get; private set; }

    public string Story => string.Join('\n', told);

    private sealed record Grant(string PodUid, string Container, string[] Ids, ContainerAllocateResponse Answer);

    /// <summary>A pod as the kubelet has it.</summary>
    private sealed class Run(V1Pod pod)
    {
        public V1Pod Pod => pod;

        public string Uid { get; } = pod.Uid();

        public int Served { get; set; }

        public bool Admitted => Served == All.Count;

        public string? Rejected { get; set; }

        public bool Ended { get; set; }

        public List<V1Container> All { get; } = [.. pod.Spec.InitContainers ?? [], .. pod.Spec.Containers];

        public int InitCount { get; } = pod.Spec.InitContainers?.Count ?? 0;

        public HashSet<string> InitDone { get; } = [];

        public Dictionary<string, Running> Running { get; } = new(StringComparer.Ordinal);
    }

    /// <summary>A container that runs, with the files it has mounted.</summary>
    private sealed record Running(string Folder, MemoryFiles.Entry Limits, MemoryFiles.Entry Region, MemoryFiles.Entry Library);

    public async Task<IReadOnlyList<ListedPod>?> List(CancellationToken cancellation)
    {
        Moment();
        await Task.CompletedTask;
        if (PodResourcesSilent)
            return null;
        // Those that may hold devices, and the one being admitted; plain init containers never.
        return [.. runs.Where(r => r.Rejected is null && !r.Ended).Select(r => new ListedPod("default", r.Pod.Name(), r.Pod.Spec.Containers.ToDictionary(
            c => c.Name,
            IReadOnlySet<string> (c) => grants.Where(g => g.PodUid == r.Uid && g.Container == c.Name).SelectMany(g => g.Ids).ToHashSet(StringComparer.Ordinal),
            StringComparer.Ordinal)))];
    }

    // ---- what can happen ----

    public async Task StartAgent()
    {
        if (agent is not null)
            return;
        agent = new(this);
        Tell("agent starts");
        await Task.CompletedTask;
        if (!api.Away)
            ToAgent(a => a.Pods.Take(api.List().AsTold()));
    }

    public async Task EndAgent()
    {
        killIn = -1;
        if (agent is null)
            return;
        Tell("agent ends");
        await agent.DisposeAsync();
        agent = null;
    }

    public void KillAgentWithin(int moments) => killIn = moments;

    public void Bind(string name, bool withInit, int[] apps, bool expiresFirst)
    {
        if (api.Pods.Any(p => p.Name() == name))
            return;
        // A bind that expired was never seen here; what comes instead has other shares.
        var list = Shares(withInit, apps);
        if (expiresFirst)
            list = Shares(withInit, apps);
        var pod = NodePods.Pod(name, list, apps, withInit ? [1] : null);
        pod.Metadata.Uid = $"uid{++bound:d4}-{name}";
        pod.Metadata.CreationTimestamp = time.GetUtcNow().UtcDateTime;
        Tell($"bind {pod.Uid()} {list}");
        api.Put(pod);
    }

    public void Deliver(int events)
    {
        while (agent is not null && !api.Away && events-- > 0 && api.HasNews)
        {
            var (type, pod) = api.Next();
            ToAgent(a => a.Pods.Take(new WatchEvent(type, pod.AsTold())));
        }
    }

    /// <summary>The kubelet's pod loop: one container of the pod at its head.</summary>
    public async Task Admit()
    {
        foreach (var pod in api.Pods.Where(p => p.Metadata.DeletionTimestamp is null && p.Status.Phase == "Pending" && runs.TrueForAll(r => r.Uid != p.Uid())))
        {
            if (runs.Exists(r => r is { Rejected: null, Ended: false, Admitted: false }))
                break;
            runs.Add(new(pod));
        }
        if (runs.Find(r => r is { Rejected: null, Ended: false, Admitted: false }) is not { } run)
            return;
        var container = run.All[run.Served];
        if (Asks(container) == 0 || await Allocate(run, container))
            run.Served++;
    }

    /// <summary>Starts a container that may start, after PreStartContainer.</summary>
    public async Task StartOne()
    {
        var waiting = runs.Where(r => r is { Admitted: true, Rejected: null, Ended: false })
            .SelectMany(r => Startable(r).Select(c => (Run: r, Container: c))).ToList();
        if (waiting.Count == 0)
            return;
        var (run, container) = waiting[lot.Next(waiting.Count)];
        if (Asks(container) == 0)
        {
            Begin(run, container, null);
            return;
        }
        // The checkpoint was lost: the devices are asked for again.
        if (GrantOf(run, container) is null && !await Allocate(run, container))
            return;
        if (agent is null)
            return;
        var grant = GrantOf(run, container)!;
        try
        {
            await Drive(agent.Endpoint.PreStartContainer(new() { DevicesIds = { Shuffled(grant.Ids) } }, new NoContext()));
            Begin(run, container, grant);
        }
        catch (RpcException e)
        {
            Tell($"start of {run.Uid}/{container.Name} refused: {e.Status.Detail}");
        }
        catch (AgentKilled)
        {
            Killed();
        }
    }

    /// <summary>A container ends; it starts again, or was an init container and is done.</summary>
    public void ExitOne()
    {
        var running = runs.SelectMany(r => r.Running.Keys.Select(c => (Run: r, Container: c))).ToList();
        if (running.Count == 0)
            return;
        var (run, container) = running[lot.Next(running.Count)];
        run.Running.Remove(container);
        if (run.All.FindIndex(c => c.Name == container) < run.InitCount && lot.Next(4) > 0)
            run.InitDone.Add(container);
        Tell($"exit {run.Uid}/{container}");
    }

    /// <summary>Deletes a pod; by force its object goes while its containers still run.</summary>
    public void DeleteOne(bool force)
    {
        var all = api.Pods;
        if (all.Count == 0)
            return;
        var uid = all[lot.Next(all.Count)].Uid();
        Tell($"delete {uid}{(force ? " by force" : "")}");
        if (!force)
            Stop(uid);
        api.Delete(uid);
        if (force && lot.Next(2) == 0)
            Stop(uid);
    }

    /// <summary>Pods end by themselves; their objects stay.</summary>
    public void CompleteOne()
    {
        var all = runs.Where(r => r is { Admitted: true, Ended: false, Rejected: null }).ToList();
        if (all.Count == 0)
            return;
        var run = all[lot.Next(all.Count)];
        Tell($"complete {run.Uid}");
        Stop(run.Uid);
        api.Change(run.Uid, p => p.Status.Phase = "Succeeded");
    }

    public void RestartKubelet(bool checkpointLost)
    {
        Tell($"kubelet restarts{(checkpointLost ? ", its checkpoint lost" : "")}");
        if (checkpointLost)
        {
            grants.Clear();
            files.Delete(Options.CheckpointFile);
        }
        reusable.Clear();
        // Of a pod that was half admitted what is in the checkpoint stays; admission begins anew.
        foreach (var run in runs.Where(r => r is { Admitted: false, Rejected: null, Ended: false }).ToList())
        {
            runs.Remove(run);
            grants.RemoveAll(g => g.PodUid == run.Uid && lot.Next(2) == 0);
        }
        agent?.KubeletRestarted();
    }

    public void TurnApi(bool away)
    {
        if (api.Away == away)
            return;
        Tell(away ? "API server goes away" : "API server is back");
        api.Away = away;
        // A broken watch is followed by a list.
        if (!away)
            ToAgent(a => a.Pods.Take(api.List().AsTold()));
    }

    public async Task Sweep(TimeSpan after)
    {
        time.Advance(after);
        files.Now = time.GetUtcNow();
        try
        {
            Tell($"sweep after {after}");
            if (agent is not null)
                await agent.Sweep.Once(CancellationToken.None);
        }
        catch (AgentKilled)
        {
            Killed();
        }
    }

    /// <summary>All that was broken is whole, and the kubelet goes on until nothing moves any more.</summary>
    public async Task Settle()
    {
        killIn = -1;
        PodResourcesSilent = false;
        TurnApi(away: false);
        await StartAgent();
        for (var rounds = 0; rounds < 60; rounds++)
        {
            Deliver(100);
            await Admit();
            await StartOne();
            foreach (var run in runs)
                foreach (var init in run.All.Take(run.InitCount).Where(c => run.Running.Remove(c.Name)))
                    run.InitDone.Add(init.Name);
            await StartAgent();
        }
        Check();
    }

    /// <summary>Containers that should run and do not.</summary>
    public IReadOnlyList<string> Stuck =>
        [.. runs.Where(r => r is { Rejected: null, Ended: false } && api.Pods.Any(p => p.Uid() == r.Uid))
            .SelectMany(r => (r.Admitted ? Startable(r) : r.All).Select(c => $"{r.Uid}/{c.Name}"))];

    public void DeleteAll()
    {
        foreach (var pod in api.Pods)
        {
            Stop(pod.Uid());
            api.Delete(pod.Uid());
        }
        Deliver(1000);
    }

    public IReadOnlyList<string> Folders => [.. files.AllFolders.Where(f => Path.GetDirectoryName(f) == agent!.Directories.Root)];

    // ---- what must hold ----

    /// <summary>Whatever runs sees its own limits and the files it started with, and what has not started is granted nothing that is not its own.</summary>
    public void Check()
    {
        foreach (var run in runs)
        {
            foreach (var (container, seen) in run.Running.Where(c => Asks(run.All.First(a => a.Name == c.Key)) > 0))
            {
                // By force the object can be gone first, and its folder with it: whoever has the files mounted keeps them.
                if (!api.Pods.Any(p => p.Uid() == run.Uid))
                    continue;
                Assert.True(seen.Limits.Inode == files.Find($"{seen.Folder}/limits")?.Inode, $"The limits under the running {run.Uid}/{container} were written again.\n{Story}");
                Assert.True(seen.Region.Inode == files.Find($"{seen.Folder}/region")?.Inode, $"The region under the running {run.Uid}/{container} was made again.\n{Story}");
                Assert.True(seen.Library.Inode == files.Find($"{seen.Folder}/libvgpu.so")?.Inode, $"The library under the running {run.Uid}/{container} was exchanged.\n{Story}");
            }
            foreach (var container in run.All)
            {
                var limits = files.Find($"{Options.VgpuDir}/containers/{run.Uid}_{container.Name}/limits")?.Content;
                Assert.True(limits is null or [] || Encoding.UTF8.GetString(limits) == Expected(run, container), $"The limits of {run.Uid}/{container.Name} are not its own.\n{Story}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (agent is not null)
            await agent.DisposeAsync();
        api.Dispose();
    }

    private void Begin(Run run, V1Container container, Grant? grant)
    {
        Running running = new("", new(0, [], 0), new(0, [], 0), new(0, [], 0));
        if (grant is not null)
        {
            Started++;
            var folder = grant.Answer.Mounts.Single(m => m.ContainerPath == Options.VgpuDir).HostPath;
            var limits = files.Find($"{folder}/limits") ?? throw new InvalidOperationException($"{run.Uid}/{container.Name} starts without limits.\n{Story}");
            Assert.True(Encoding.UTF8.GetString(limits.Content) == Expected(run, container), $"Swapped: {run.Uid}/{container.Name} starts with\n{Encoding.UTF8.GetString(limits.Content)}\n{Story}");
            Assert.True(grant.Answer.Envs["NVIDIA_VISIBLE_DEVICES"] == string.Join(',', Devices(run, container).Select(d => d.Uuid)), $"Swapped: {run.Uid}/{container.Name} sees other cards.\n{Story}");
            var region = grant.Answer.Mounts.Single(m => m.ContainerPath == $"{Options.VgpuDir}/region").HostPath;
            Assert.True(Path.GetDirectoryName(region) == folder && files.Length(region) == ContainerDirectories.RegionBytes, $"{run.Uid}/{container.Name} starts without a region.\n{Story}");
            running = new(folder, limits, files.Find(region)!, files.Find($"{folder}/libvgpu.so")!);
        }
        Tell($"start {run.Uid}/{container.Name}");
        run.Running[container.Name] = running;
    }

    private static string Expected(Run run, V1Container container) =>
        LimitsFile.Text(NodePods.Seen(run.Pod).Containers.First(c => c.Name == container.Name), Options, new());

    private static IReadOnlyList<ListedDevice> Devices(Run run, V1Container container) =>
        NodePods.Seen(run.Pod).Containers.First(c => c.Name == container.Name).Devices;

    private static IEnumerable<V1Container> Startable(Run run)
    {
        var init = run.All.Take(run.InitCount).FirstOrDefault(c => !run.InitDone.Contains(c.Name));
        return (init is null ? run.All.Skip(run.InitCount) : [init]).Where(c => !run.Running.ContainsKey(c.Name));
    }

    private async Task<bool> Allocate(Run run, V1Container container)
    {
        var size = Asks(container);
        if (agent is null)
            return Calm || lot.Next(3) > 0 ? false : Reject(run, "no healthy devices present");
        try
        {
            grants.RemoveAll(g => runs.Exists(r => r.Uid == g.PodUid && (r.Ended || r.Rejected is not null)) || !runs.Exists(r => r.Uid == g.PodUid));
            var ids = await Choose(run, size);
            AllocateResponse answer;
            var times = !Calm && lot.Next(5) == 0 ? 2 : 1;
            do
                answer = await Drive(agent!.Endpoint.Allocate(new() { ContainerRequests = { new ContainerAllocateRequest { DevicesIds = { Shuffled(ids) } } } }, new NoContext()));
            while (--times > 0);
            grants.Add(new(run.Uid, container.Name, ids, answer.ContainerResponses.Single()));
            if (run.All.IndexOf(container) < run.InitCount)
                (reusable.TryGetValue(run.Uid, out var known) ? known : reusable[run.Uid] = []).UnionWith(ids);
            WriteCheckpoint();
            Tell($"allocate {run.Uid}/{container.Name}: {string.Join(',', ids)} -> {answer.ContainerResponses[0].Mounts[0].HostPath}");
            return true;
        }
        catch (RpcException e)
        {
            return Reject(run, e.Status.Detail);
        }
        catch (AgentKilled)
        {
            Killed();
            return Reject(run, "error reading from server: EOF");
        }
    }

    private bool Reject(Run run, string why)
    {
        Tell($"reject {run.Uid}: {why}");
        // A pod that ran before is rejected too, but what runs of it is not the question here.
        run.Rejected = why;
        run.Running.Clear();
        api.Change(run.Uid, p => p.Status.Phase = "Failed");
        return false;
    }

    private async Task<string[]> Choose(Run run, int size)
    {
        if (reusable.TryGetValue(run.Uid, out var again) && again.Count >= size)
            return [.. again.Take(size)];
        var used = grants.SelectMany(g => g.Ids).ToHashSet(StringComparer.Ordinal);
        string[] must = [.. again ?? []];
        string[] free = Shuffled([.. Cards.SelectMany(c => Enumerable.Range(0, 10).Select(k => $"{c.Uuid}-{k}")).Where(id => !used.Contains(id)), .. must]);
        var answer = await Drive(agent!.Endpoint.GetPreferredAllocation(new()
        {
            ContainerRequests = { new ContainerPreferredAllocationRequest { AvailableDeviceIDs = { free }, MustIncludeDeviceIDs = { must }, AllocationSize = size } },
        }, new NoContext()));
        // A hint, followed 76 times of 77.
        return answer.ContainerResponses is [var hint] && (Calm || lot.Next(10) > 0) ? [.. hint.DeviceIDs] : [.. must, .. free.Except(must).Take(size - must.Length)];
    }

    private void WriteCheckpoint() => files.Place(Options.CheckpointFile, JsonSerializer.SerializeToUtf8Bytes(new
    {
        Data = new
        {
            PodDeviceEntries = grants.Select(g => new
            {
                PodUID = g.PodUid, ContainerName = g.Container, ResourceName = Resource, DeviceIDs = new Dictionary<string, string[]> { ["-1"] = g.Ids }, AllocResp = g.Answer.ToByteArray(),
            }),
        },
        Checksum = 0,
    }));

    private Grant? GrantOf(Run run, V1Container container) => grants.Find(g => g.PodUid == run.Uid && g.Container == container.Name);

    private void Stop(string uid)
    {
        if (runs.Find(r => r.Uid == uid) is not { } run)
            return;
        run.Ended = true;
        run.Running.Clear();
        reusable.Remove(uid);
    }

    private void Killed()
    {
        Tell("agent is killed");
        killIn = -1;
        agent?.Abandon();
        agent = null;
    }

    private void Moment()
    {
        if (killIn > 0)
            killIn--;
        if (killIn == 0)
            throw new AgentKilled();
    }

    private void ToAgent(Action<Agent> tell)
    {
        try
        {
            if (agent is not null)
                tell(agent);
        }
        catch (AgentKilled)
        {
            Killed();
        }
    }

    // Waits for nothing that only time can end.
    private async Task<T> Drive<T>(Task<T> call)
    {
        for (var spins = 0; !call.IsCompleted; spins++)
        {
            await Task.Yield();
            if (spins > 20)
                time.Advance(TimeSpan.FromMilliseconds(100));
        }
        return await call;
    }

    private string Shares(bool withInit, int[] apps)
    {
        var containers = (withInit ? new[] { 1 } : []).Concat(apps).Select(IReadOnlyList<ListedDevice> (gpus) =>
            [.. Cards.OrderBy(_ => lot.Next()).Take(gpus).Select(c => new ListedDevice(c.Uuid, "NVIDIA", memory++, 1 + lot.Next(99)))]);
        return DeviceList.Encode([.. containers]);
    }

    private static int Asks(V1Container container) => container.Resources?.Limits[Resource].ToInt32() ?? 0;

    private string[] Shuffled(string[] ids) => [.. ids.OrderBy(_ => lot.Next())];

    private void Tell(string what) => told.Add(what);

    /// <summary>The agent's own parts, put together as its host does; the watch is told by the model.</summary>
    private sealed class Agent : IAsyncDisposable
    {
        private readonly HandedOut handedOut = new();
        private readonly Checkpoint checkpoint;
        private readonly PhaseWriter phases;
        private readonly Hami.NodeAgent.Allocating.Allocation allocation;

        public Agent(NodeModel node)
        {
            var signatures = new SignatureCheck(Options, NullLogger<SignatureCheck>.Instance);
            Pods = new(node.api.Client.ForAgent(), Options, node.time, NullLogger<PodsOnNode>.Instance);
            Directories = new(Options, node.files);
            checkpoint = new(Options, node.files, NullLogger<Checkpoint>.Instance);
            phases = new(node.api.Client.ForAgent(), node.time, NullLogger<PhaseWriter>.Instance);
            var shares = new PodsWithShares(Pods, handedOut, signatures, Options);
            var settings = new SettingsInForce(new());
            var inventory = new CardInventory([.. Cards]);
            allocation = new(shares, node, checkpoint, handedOut, phases, new(node.api.Client.ForAgent(), Options, node.time, NullLogger<PodComplaints>.Instance), inventory,
                null!, Directories, new(_ => []), Options, settings, node.time, NullLogger<Hami.NodeAgent.Allocating.Allocation>.Instance);
            var check = new StartCheck(Pods, shares, node, checkpoint, handedOut, Directories, Options, settings, NullLogger<StartCheck>.Instance);
            var noMig = new StaticMigDevices(
                new([], node.time, NullLogger<NvmlSession>.Instance), settings, new(), Options, node.time, NullLogger<StaticMigDevices>.Instance);
            Endpoint = new(allocation, check, inventory, new(), settings, new(noMig, null!, null!, new(_ => []), Options), Options, NullLogger<DevicePluginEndpoint>.Instance, CancellationToken.None);
            Sweep = new(Pods, Directories, node.time, NullLogger<DirectorySweep>.Instance);
            Pods.Gone += Forget;
            Pods.Gone += Sweep.Remove;

            void Forget(string uid)
            {
                handedOut.Forget(uid);
                phases.Forget(uid);
                signatures.Forget(uid);
            }
        }

        public PodsOnNode Pods { get; }

        public ContainerDirectories Directories { get; }

        public DevicePluginEndpoint Endpoint { get; }

        public DirectorySweep Sweep { get; }

        public void KubeletRestarted()
        {
            if (checkpoint.Read() is { } confirmed)
                handedOut.KeepOnly(confirmed);
        }

        public void Abandon() => _ = phases.StopAsync(CancellationToken.None);

        public async ValueTask DisposeAsync()
        {
            await phases.StopAsync(CancellationToken.None);
            allocation.Dispose();
        }
    }

    private sealed class NoContext : ServerCallContext
    {
        protected override string MethodCore => "";
        protected override string HostCore => "";
        protected override string PeerCore => "";
        protected override DateTime DeadlineCore => DateTime.MaxValue;
        protected override Metadata RequestHeadersCore => [];
        protected override CancellationToken CancellationTokenCore => CancellationToken.None;
        protected override Metadata ResponseTrailersCore => [];
        protected override Status StatusCore { get; set; }
        protected override WriteOptions? WriteOptionsCore { get; set; }
        protected override AuthContext AuthContextCore => new(null, []);

        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
