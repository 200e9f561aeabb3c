extern alias agent;

using agent::Kubelet.DevicePlugin.V1Beta1;
using Grpc.Core;
using Hami.Domain.Protocol;
using Hami.NodeAgent;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.Tests.Allocating;
using Hami.Tests.Given;
using k8s.Models;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Partitioning;

/// <summary>The whole agent on a node of A100 cards as the pretended NVML has them, with a kubelet and an API server.</summary>
internal sealed class MigNode : IAsyncDisposable
{
    public const string A = "GPU-0000000a-0000-0000-0000-000000000000";
    public const string B = "GPU-0000000b-0000-0000-0000-000000000000";

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("hami");
    private readonly NvmlSession session;
    private IHost? host;

    private MigNode(string[] cards)
    {
        Cards = new(cards);
        session = new([Cards.Library], TimeProvider.System, NullLogger<NvmlSession>.Instance);
        Hand = new(session);
    }

    public PretendedCards Cards { get; }

    /// <summary>Somebody else with nvidia-smi mig.</summary>
    public NvmlMigCards Hand { get; }

    public TinyApiServer Api { get; private set; } = null!;

    public TinyKubelet Kubelet { get; private set; } = null!;

    public MigStrategy Strategy { get; set; }

    public HandingOptions Handing { get; set; } = new();

    public string CdiFolder => Path.Combine(root.FullName, "cdi");

    /// <summary>A procfs of its own, where the driver lists the nodes of instances.</summary>
    public string Proc => Directory.CreateDirectory(Path.Combine(root.FullName, "proc")).FullName;

    public string Book => Path.Combine(root.FullName, "host", "vgpu", "mig.json");

    /// <summary>UUIDs of all MIG devices.</summary>
    public IReadOnlyList<string> Uuids
    {
        get
        {
            for (var look = 1; ; look++)
                try
                {
                    return [.. Hand.Cut().SelectMany(Hand.Instances).SelectMany(i => i.Parts).Select(p => p.Uuid!).Order()];
                }
                catch (NvmlException) when (look < 100)
                {
                    // One that the agent destroyed between two questions about it.
                }
        }
    }

    public static string Card(string uuid, string more = ";mig=on") => $"{uuid};{PretendedCards.A100With40GB}{more}";

    public static async Task<MigNode> Start(MigStrategy strategy = MigStrategy.None, Action<MigNode>? before = null, params string[] cards)
    {
        var node = new MigNode(cards.Length > 0 ? cards : [Card(A), Card(B)]) { Strategy = strategy };
        before?.Invoke(node);
        node.Api = await TinyApiServer.Start();
        node.Kubelet = await TinyKubelet.Start(node.root.FullName);
        await node.StartAgent();
        return node;
    }

    public async Task StartAgent()
    {
        var options = new AgentOptions
        {
            NodeName = "node-1",
            NvmlLibraries = [Cards.Library],
            LookAtCards = TimeSpan.FromMilliseconds(200),
            KubeletDir = root.FullName,
            HookPath = Path.Combine(root.FullName, "host"),
            Given = new() { MigStrategy = Strategy },
            AcceptUnsigned = true,
            Handing = Handing with { CdiSpecDir = CdiFolder },
            Observing = new() { ProcRoot = Proc },
        };
        Assert.Null(options.Fault());
        host = AgentHost.Build(options, [], Api.Client.ForAgent(), _ => { });
        await host.StartAsync();
    }

    /// <summary>Ends the agent without a chance to clean up.</summary>
    public void Kill()
    {
        host!.Dispose();
        host = null;
    }

    public Task Registered() => AgentOnANode.Eventually(() => Kubelet.Health.Count > 0);

    /// <param name="forgets">It has lost its record, and asks again for what it knew.</param>
    public async Task RestartKubelet(bool forgets = false)
    {
        await Kubelet.DisposeAsync();
        if (forgets)
            File.Delete(Path.Combine(root.FullName, "device-plugins", "kubelet_internal_checkpoint"));
        Kubelet = await TinyKubelet.Start(root.FullName, after: forgets ? null : Kubelet);
    }

    public async Task Restart()
    {
        Kill();
        await AgentOnANode.Eventually(() => Kubelet.Health.Count == 0);
        await StartAgent();
        await Registered();
    }

    /// <summary>A pod with one container for each of these, as <c>2g.10gb 2+2</c> on card A, or <c>B 2g.10gb 2+2</c>.</summary>
    public static V1Pod Pod(string name, params string[] seats)
    {
        var read = seats.Select(s => s.StartsWith("B ", StringComparison.Ordinal) ? MigGiven.Seat($"{B} {s[2..]}") : MigGiven.Seat($"{A} {s}")).ToList();
        var pod = NodePods.Pod(name, string.Concat(read.Select(s => $"{s.Card},NVIDIA,9984,29:;")), [.. read.Select(_ => 1)]);
        pod.SetAnnotation(HamiKeys.MigAllocations, MigAllocations.Encode(read.Select((s, i) => new MigAllocation
        {
            ContainerIndex = i, GpuUuid = s.Card, Profile = s.Profile, Placement = new() { Start = s.Place.Start, Size = s.Place.Size },
        })));
        return pod;
    }

    /// <summary>Binds the pod and has the kubelet admit it; the UUID that each container sees.</summary>
    public async Task<IReadOnlyList<string>> Run(V1Pod pod)
    {
        Api.Put(pod);
        return [.. (await Kubelet.Admit(pod)).Values.Select(a => a.Envs["NVIDIA_VISIBLE_DEVICES"])];
    }

    /// <summary>The kubelet says how the pod is.</summary>
    public void Is(string pod, string phase, bool ending = false, params V1ContainerState[] containers)
    {
        var now = Api.Pod(pod);
        now.Status = new()
        {
            Phase = phase,
            ContainerStatuses = [.. containers.Select((state, i) => new V1ContainerStatus { Name = $"c{i}", State = state, Image = "", ImageID = "" })],
        };
        if (ending)
            now.Metadata.DeletionTimestamp = DateTime.UnixEpoch;
        Api.Put(now);
    }

    public static V1ContainerState Running => new() { Running = new() };

    public static V1ContainerState Ended => new() { Terminated = new() { ExitCode = 0 } };

    public IReadOnlyList<MigAllocation> Told(string pod) => MigAllocations.Decode(Api.Pod(pod).GetAnnotation(HamiKeys.MigAllocations));

    /// <summary>What a plugin lists, until it is as wished.</summary>
    public static async Task<IReadOnlyList<Device>> Listed(DevicePlugin.DevicePluginClient plugin, Func<IReadOnlyList<Device>, bool> wished)
    {
        using var end = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        using var stream = plugin.ListAndWatch(new Empty(), cancellationToken: end.Token);
        await foreach (var list in stream.ResponseStream.ReadAllAsync(end.Token))
            if (wished(list.Devices))
                return list.Devices;
        return [];
    }

    public async ValueTask DisposeAsync()
    {
        if (host is not null)
        {
            await host.StopAsync();
            host.Dispose();
        }
        await Kubelet.DisposeAsync();
        await Api.DisposeAsync();
        session.Dispose();
        Cards.Dispose();
        root.Delete(recursive: true);
    }
}
