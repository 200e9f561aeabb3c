using Grpc.Core;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Allocating;

/// <summary>Answers Allocate: finds whose it is, hands out what the scheduler chose, and tells the cluster.</summary>
internal sealed partial class Allocation(
    PodsWithShares pods, IPodResources podResources, Checkpoint checkpoint, HandedOut handedOut, PhaseWriter phases, PodComplaints complaints, CardInventory inventory,
    MigHanding mig, ContainerDirectories directories, DeviceFolder folder, AgentOptions options, SettingsInForce settings, TimeProvider time, ILogger<Allocation> log) : IDisposable
{
    // The pod loop of the whole node waits for us; what is not written by then goes on in the background.
    private static readonly TimeSpan PatienceForTheCluster = TimeSpan.FromSeconds(2);

    // Between its question for a preference and the Allocate that follows, the kubelet admits nobody else.
    private static readonly TimeSpan PreferenceHolds = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim oneAtATime = new(1, 1);
    private Preferred? preferred;

    /// <param name="Listing">The kubelet's pod-resources, as they were when these ids were preferred.</param>
    private sealed record Preferred(IReadOnlySet<string> Ids, IReadOnlyList<ListedPod>? Listing, long At);

    /// <exception cref="RpcException">Nothing can be handed out; the kubelet shows the detail to the pod's owner.</exception>
    public async Task<AllocateResponse> Allocate(AllocateRequest request, CancellationToken cancellation)
    {
        await oneAtATime.WaitAsync(cancellation);
        try
        {
            var answer = new AllocateResponse();
            var inThisCall = new HashSet<(string, string)>();
            var touched = new Dictionary<string, PodOnNode>(StringComparer.Ordinal);
            var served = Served();
            foreach (var ids in request.ContainerRequests.Select(r => r.DevicesIds))
            {
                var (pod, container) = await OwnerOf(ids, inThisCall, served, cancellation);
                answer.ContainerResponses.Add(await Give(pod, container, ids));
                inThisCall.Add((pod.Uid, container.Name));
                touched[pod.Uid] = pod;
            }
            foreach (var pod in touched.Values.Where(p => p.Shares.All(c => served(p.Uid, c.Name))))
                await AtMost(phases.Succeeded(pod));
            return answer;
        }
        finally
        {
            oneAtATime.Release();
        }
    }

    /// <summary>Of the devices that the kubelet offers, those of the cards that the scheduler chose for the container it will most likely ask for next; none when there is no telling.</summary>
    public async Task<IReadOnlyList<string>> Prefer(ContainerPreferredAllocationRequest ask, CancellationToken cancellation)
    {
        var listing = await podResources.List(cancellation);
        var served = Served();
        var any = Enumerable.Repeat("", ask.AllocationSize).ToList();
        var owner = WhoseAllocate.Find(any, pods.Watched, listing, served);
        if (owner is not { Certain: true } && await pods.Read(cancellation) is { } fresh)
            owner = WhoseAllocate.Find(any, fresh, listing, served);
        if (owner is null)
            return [];
        var ids = PreferredReplicas.Choose(
            ask.AvailableDeviceIDs, ask.MustIncludeDeviceIDs, ask.AllocationSize, [.. owner.Container.Devices.Select(d => d.Uuid)]);
        preferred = new(ids.ToHashSet(StringComparer.Ordinal), listing, time.GetTimestamp());
        return ids;
    }

    public void Dispose() => oneAtATime.Dispose();

    private async Task<(PodOnNode, ContainerShare)> OwnerOf(
        IReadOnlyList<string> ids, HashSet<(string, string)> inThisCall, Func<string, string, bool> served, CancellationToken cancellation)
    {
        // An Allocate for just the ids that were preferred is for the container that they were preferred for.
        var kept = Interlocked.Exchange(ref preferred, null) is { } asked && asked.Ids.SetEquals(ids) && time.GetElapsedTime(asked.At) < PreferenceHolds
            ? asked.Listing : null;
        var listing = kept ?? await podResources.List(cancellation);
        var known = pods.Watched;
        var owner = WhoseAllocate.Find(ids, known, listing, served, inThisCall);
        if (owner is not { Certain: true } || !await pods.MayBeCurrent(owner.Pod, cancellation))
        {
            // The kubelet may have seen the pod before our watch did, or this is a new pod of an old one's name.
            var fresh = await pods.Read(cancellation);
            if (fresh is null && owner is null && Repeated(ids, known) is null)
                throw Error($"The pod that asks for {options.ResourceName} is not known yet and the API server did not answer; create the pod again once it does.");
            known = fresh ?? known;
            if (kept is not null)
                listing = await podResources.List(cancellation);
            owner = WhoseAllocate.Find(ids, known, listing, served, inThisCall);
        }
        if (owner is not null)
            return (owner.Pod, owner.Container);
        return Repeated(ids, known) ?? throw await NobodyWaits(known, listing);
    }

    private async Task<ContainerAllocateResponse> Give(PodOnNode pod, ContainerShare container, IReadOnlyList<string> ids)
    {
        if (container.Devices.Count != ids.Count)
            throw await Refuse(pod, $"Container {container.Name} of pod {pod.FullName} was given {container.Devices.Count} cards by the scheduler, "
                + $"but the kubelet asks for {ids.Count}; create the pod again.");
        var cards = inventory.Cards;
        if (container.Devices.FirstOrDefault(d => !cards.Any(c => c.Uuid == d.Uuid)) is { } missing)
            throw await Refuse(pod, $"Container {container.Name} of pod {pod.FullName} was given the card {missing.Uuid}, which node "
                + $"{options.NodeName} no longer has; create the pod again.");
        if (pod.Mig.Reservations.Any(r => r.Container == container.Name) || container.Devices.Any(d => cards.Any(c => c.Uuid == d.Uuid && c.Mig is not null)))
            return await Cut(pod, container, ids);
        try
        {
            directories.Prepare(pod.Uid, container.Name, options.Handing.LimitsByFile ? LimitsFile.Text(container, options, settings.Current) : null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw await Refuse(pod, $"The directory {directories.Of(pod.Uid, container.Name)} could not be made on node {options.NodeName} "
                + $"({e.Message}); see to its disk and permissions, then create the pod again.");
        }
        handedOut.Add(pod.Uid, container.Name, ids);
        // The cards are the scheduler's, whatever the ids say: those of an init container come again, and a hint need not be followed.
        if (!WhoseAllocate.SameCards(ids, container))
            LogOther(pod.FullName, container.Name);
        LogGiven(pod.FullName, pod.Uid, container.Name, string.Join(',', container.Devices.Select(d => d.Uuid)), string.Join(',', ids));
        var its = DeviceAnswer.For(container.Devices.Select(d => HandedDevice.Of(cards.First(c => c.Uuid == d.Uuid))), options.Handing, folder);
        return Answer.For(pod.Uid, container, its, options, settings.Current, directories);
    }

    // A MIG instance has its own memory and compute: there is nothing to limit, so it needs neither library nor folder.
    private async Task<ContainerAllocateResponse> Cut(PodOnNode pod, ContainerShare container, IReadOnlyList<string> ids)
    {
        try
        {
            var its = await mig.Make(pod, container);
            handedOut.Add(pod.Uid, container.Name, ids);
            LogGiven(pod.FullName, pod.Uid, container.Name, string.Join(',', its.Select(d => d.Uuid)), string.Join(',', ids));
            return DeviceAnswer.For(its, options.Handing, folder);
        }
        catch (MigRefusal e)
        {
            throw await Refuse(pod, e.Message);
        }
    }

    private Func<string, string, bool> Served()
    {
        var held = checkpoint.Read() ?? [];
        return (uid, container) => handedOut.Has(uid, container) || held.Any(e => e.PodUid == uid && e.Container == container);
    }

    // The same question again, after everything was answered: the kubelet lost our answer.
    private (PodOnNode, ContainerShare)? Repeated(IEnumerable<string> ids, IReadOnlyList<PodOnNode> known)
    {
        var alive =
            from answer in handedOut.With(ids.ToHashSet(StringComparer.Ordinal))
            from pod in known
            where pod.Uid == answer.PodUid && !pod.Over && pod.Fault is null
            from container in pod.Shares
            where container.Name == answer.Container
            select (pod, container);
        return alive.ToList() is [var only] ? only : null;
    }

    private async Task<RpcException> NobodyWaits(IReadOnlyList<PodOnNode> known, IReadOnlyList<ListedPod>? listing)
    {
        var foreign = known.Where(p => !p.Over && p.Asks && p.Fault is not null)
            .Where(p => listing is null || listing.Any(l => l.Namespace == p.Namespace && l.Name == p.Name))
            .OrderByDescending(p => p.Order).FirstOrDefault();
        // Ours, but unusable: the scheduler learns that it failed. Another scheduler's pod is not ours to write on.
        if (foreign is { Fault: { } fault, Phase: BindPhases.Allocating })
            return await Refuse(foreign, fault);
        return Error(foreign?.Fault
            ?? $"No pod on node {options.NodeName} with an allocation by the HAMi scheduler is waiting for {options.ResourceName}; create the pod again.");
    }

    private async Task<RpcException> Refuse(PodOnNode pod, string sentence)
    {
        handedOut.Refuse(pod.Uid);
        await AtMost(Task.WhenAll(phases.Failed(pod), complaints.Tell(pod, sentence)));
        return Error(sentence);
    }

    private RpcException Error(string sentence)
    {
        LogRefused(sentence);
        return new(new Status(StatusCode.Internal, sentence));
    }

    private Task AtMost(Task write) => Task.WhenAny(write, Task.Delay(PatienceForTheCluster, time));

    [LoggerMessage(LogLevel.Information, "Pod {Pod} ({PodUid}), container {Container}: cards {DeviceUuids} for {DeviceIds}")]
    private partial void LogGiven(string pod, string podUid, string container, string deviceUuids, string deviceIds);

    [LoggerMessage(LogLevel.Information, "Pod {Pod}, container {Container}: the kubelet's ids are of other cards than the scheduler chose; the container gets the scheduler's, what the kubelet tells of it names others")]
    private partial void LogOther(string pod, string container);

    [LoggerMessage(LogLevel.Error, "Allocate refused: {Sentence}")]
    private partial void LogRefused(string sentence);
}
