using System.Collections.Immutable;

namespace Hami.NodeAgent.Observing;

/// <summary>What a container's region said of its card, with all numbers held to what is possible.</summary>
internal sealed record RegionShare(int Index, string Uuid, long LimitBytes, long UsedBytes, long ContextBytes, long ModuleBytes, long BufferBytes, int Busy);

/// <summary>What a container's region said; empty when it has none.</summary>
/// <param name="HostPids">Which of the node's processes it says are its own.</param>
internal sealed record RegionTold(ImmutableArray<RegionShare> Shares, ImmutableArray<int> HostPids, int Processes, DateTimeOffset? LastKernel, RegionKind? Kind)
{
    public static readonly RegionTold Nothing = new([], [], 0, null, null);

    /// <summary>Takes over what concerns cards that the container was given, each once.</summary>
    /// <param name="cardBytes">Memory of a card; null when it is not known.</param>
    public static RegionTold From(RegionReading region, WatchedContainer container, Func<string, long?> cardBytes, DateTimeOffset now)
    {
        var shares = ImmutableArray.CreateBuilder<RegionShare>(container.Cards.Length);
        var named = new bool[container.Cards.Length];
        for (var device = 0; device < region.Devices; device++)
        {
            var name = region.Uuid(device);
            for (var i = 0; i < container.Cards.Length; i++)
                if (container.Cards[i] is var card && !named[i] && name.SequenceEqual(card.Name.AsSpan()))
                {
                    named[i] = true;
                    shares.Add(Share(device, card, region.Use(device), cardBytes(card.Uuid)));
                }
        }
        return new(shares.DrainToImmutable(), [.. region.Processes.Select(p => p.HostPid).Where(pid => pid > 0)], region.Processes.Count, Time(region.LastKernelSeconds, now), region.Kind);
    }

    // What the scheduler gave is the limit; where it set none, the region may know one.
    private static RegionShare Share(int device, GrantedCard card, RegionUse use, long? cardBytes)
    {
        var limit = card.MemoryBytes > 0 ? card.MemoryBytes : (long)Math.Min(use.LimitBytes, (ulong)long.MaxValue);
        // An oversubscribed share may be larger than its card.
        var most = cardBytes is { } bytes ? Math.Max(bytes, limit) : long.MaxValue;
        var used = (long)Math.Min(use.TotalBytes, (ulong)most);
        // The parts never add up to more than the whole.
        var context = (long)Math.Min(use.ContextBytes, (ulong)used);
        var module = (long)Math.Min(use.ModuleBytes, (ulong)(used - context));
        var buffer = (long)Math.Min(use.BufferBytes, (ulong)(used - context - module));
        return new(device, card.Uuid, limit, used, context, module, buffer, use.Busy);
    }

    private static DateTimeOffset? Time(long seconds, DateTimeOffset now) =>
        seconds <= 0 ? null : seconds >= now.ToUnixTimeSeconds() ? now : DateTimeOffset.FromUnixTimeSeconds(seconds);
}

/// <summary>Which container a process that the driver lists belongs to, and what each container has of each card. Pure.</summary>
internal static class Attribution
{
    /// <summary>The kernel's word first: what a region says of pids is its container's. It counts only for processes that the kernel says are in no pod, and of one container only.</summary>
    /// <param name="inPod">The kernel's word; null for a process of no pod.</param>
    public static Dictionary<int, WatchedContainer> Owners(
        IEnumerable<int> pids, Func<int, CgroupOwner?> inPod, IReadOnlyList<(WatchedContainer Container, RegionTold Told)> containers)
    {
        var byPod = containers.Select(c => c.Container).ToLookup(c => c.PodUid, StringComparer.Ordinal);
        var claims = containers.SelectMany(c => c.Told.HostPids.Distinct().Select(pid => (Pid: pid, c.Container))).ToLookup(c => c.Pid, c => c.Container);
        var owners = new Dictionary<int, WatchedContainer>();
        foreach (var pid in pids)
        {
            var owner = inPod(pid) is { } owned
                ? InPod(byPod[owned.PodUid], owned.ContainerId, claims[pid])
                : claims[pid].Count() == 1 ? claims[pid].First() : null;
            if (owner is not null)
                owners[pid] = owner;
        }
        return owners;
    }

    // The kubelet tells a container's id a moment after it began; until then it is the one, or the one that knows the pid.
    private static WatchedContainer? InPod(IEnumerable<WatchedContainer> ofPod, string id, IEnumerable<WatchedContainer> claiming)
    {
        var all = ofPod.ToList();
        if (all.Find(c => c.RuntimeId == id) is { } told)
            return told;
        var untold = all.FindAll(c => c.RuntimeId is null && !c.Over);
        return untold is [var only] ? only : untold.Find(c => claiming.Contains(c));
    }

    /// <summary>What each container has of each of its cards: what its region says, held against the driver.</summary>
    public static ImmutableArray<ShareReading> Shares(
        IReadOnlyList<(WatchedContainer Container, RegionTold Told)> containers, ImmutableArray<CardLook> cards, IReadOnlyDictionary<int, WatchedContainer> owners)
    {
        var looks = cards.ToDictionary(c => c.Reading.Uuid, StringComparer.Ordinal);
        var held = Holdings(cards, owners);
        var shares = ImmutableArray.CreateBuilder<ShareReading>();
        foreach (var (container, told) in containers)
        {
            var its = held.GetValueOrDefault(container);
            for (var position = 0; position < container.Cards.Length; position++)
            {
                var card = container.Cards[position];
                var share = Find(told.Shares, card.Uuid);
                var look = looks.GetValueOrDefault(card.Uuid);
                Held driver = default;
                var known = its is not null && its.TryGetValue(card.Uuid, out driver);
                if (share is null && !known)
                    continue; // nothing was ever done there
                var bytes = DriverBytes(look, known ? driver : null, share, told);
                // Without a region (no library, or an instance of MIG) the driver's word is all there is.
                share ??= new(position, card.Uuid, card.MemoryBytes, bytes ?? 0, 0, 0, bytes ?? 0, 0);
                shares.Add(new(
                    container.PodUid, container.Namespace, container.Pod, container.Name, container.Index, share.Index, share.Uuid,
                    share.UsedBytes, share.LimitBytes, share.ContextBytes, share.ModuleBytes, share.BufferBytes, bytes,
                    known && look is { TellsBusy: true } ? Math.Min(driver.Busy, 100) : share.Busy, told.LastKernel, Math.Max(told.Processes, driver.Processes)));
            }
        }
        return shares.DrainToImmutable();
    }

    private static RegionShare? Find(ImmutableArray<RegionShare> shares, string uuid)
    {
        foreach (var share in shares)
            if (share.Uuid == uuid)
                return share;
        return null;
    }

    // What the driver counts for each container, card by card.
    private static Dictionary<WatchedContainer, Dictionary<string, Held>> Holdings(ImmutableArray<CardLook> cards, IReadOnlyDictionary<int, WatchedContainer> owners)
    {
        var held = new Dictionary<WatchedContainer, Dictionary<string, Held>>(ReferenceEqualityComparer.Instance);
        foreach (var card in cards)
            foreach (var (pid, process) in card.Processes ?? ImmutableDictionary<int, ProcessOnCard>.Empty)
                if (owners.TryGetValue(pid, out var owner))
                {
                    if (!held.TryGetValue(owner, out var its))
                        held[owner] = its = new(StringComparer.Ordinal);
                    its[card.Reading.Uuid] = its.GetValueOrDefault(card.Reading.Uuid).With(process);
                }
        return held;
    }

    // Zero only where it is certain that nothing of the container is on the card.
    private static long? DriverBytes(CardLook? look, Held? held, RegionShare? share, RegionTold told) =>
        look?.Processes is null ? null
        : held is { } some ? some.Bytes
        : share is { UsedBytes: > 0 } && told.Processes > 0 ? null
        : 0;

    private readonly record struct Held(long? Bytes, int Busy, int Processes)
    {
        public Held With(ProcessOnCard process) =>
            new(Processes == 0 ? process.Bytes : Bytes + process.Bytes, Busy + process.Busy, Processes + 1);
    }
}
