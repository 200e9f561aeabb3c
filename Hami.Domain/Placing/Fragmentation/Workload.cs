using System.Collections.Concurrent;
using Hami.Domain.Ledger;

namespace Hami.Domain.Placing.Fragmentation;

/// <summary>
/// The typical workload, laid out to measure fast what a node can still do for it: after "Beware of Fragmentation" (Weng et
/// al., USENIX ATC '23), with device memory, cores, slots, models and the host taken into account.
/// </summary>
/// <remarks>Immutable but for a table of models seen; may be read from many threads.</remarks>
public sealed class Workload
{
    // Pods lighter on the host come to the same node, so a kind is held back by the host only where the host could feed fewer
    // than half of the pods that the cards have room for. Measured on the openb traces: 1 and 3 leave more unused, as does no bound.
    private const double Relief = 2;

    // One bit each; a mix with more different lists of models goes without the others.
    private const int MostTypes = 64;

    // A node rarely has more; the scratch arrays of a larger one go to the heap.
    private const int CommonCards = 16;

    private readonly CardPart[] _parts;
    private readonly HostPart[] _hosts;
    private readonly CardWish[] _wishes;
    private readonly ConcurrentDictionary<string, ulong> _allowedByModel = new(StringComparer.Ordinal);

    /// <param name="cardsByModel">The cluster's cards, by model: what may use few of them weighs more, so that these are kept for it.</param>
    public Workload(WorkloadMix mix, IReadOnlyDictionary<string, int> cardsByModel)
    {
        ArgumentNullException.ThrowIfNull(mix);
        ArgumentNullException.ThrowIfNull(cardsByModel);
        Mix = mix;
        var types = mix.Kinds.Select(k => Types(k.Kind)).Distinct().Take(MostTypes).ToList();
        _wishes = [.. types.Select(t => new CardWish(Words(t.Use), Words(t.Avoid), [], []))];
        var scarcity = _wishes.Select(w => Scarcity(w, cardsByModel)).ToList();
        var kinds = mix.Kinds
            .Select(k => k with { Weight = k.Kind.Cards > 0 && types.IndexOf(Types(k.Kind)) is >= 0 and var type ? k.Weight * scarcity[type] : 0 })
            .Where(k => k.Weight > 0)
            .ToList();
        var sum = kinds.Sum(k => k.Weight);

        var parts = new List<CardPart>();
        var hosts = new List<HostPart>();
        // Kinds that ask the same of cards share one walk over the cards.
        foreach (var same in kinds.GroupBy(k => k.Kind with { Host = default }))
        {
            var first = hosts.Count;
            hosts.AddRange(same.Select(k => new HostPart(k.Kind.Host.CpuMilli, k.Kind.Host.MemoryMiB, k.Weight / sum)));
            parts.Add(new(same.Key, 1UL << types.IndexOf(Types(same.Key)), first, hosts.Count));
        }
        _parts = [.. parts];
        _hosts = [.. hosts];
    }

    public WorkloadMix Mix { get; }

    /// <summary>
    /// The free device memory that a pod of the workload cannot be expected to use, in millionths of a card, over all healthy cards
    /// of a node.
    /// </summary>
    public long Unusable(ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, HostRoom host)
    {
        var rooms = cards.Length <= CommonCards ? stackalloc Room[cards.Length] : new Room[cards.Length];
        var count = 0;
        var free = 0d;
        for (var i = 0; i < cards.Length; i++)
        {
            if (!cards[i].Healthy || cards[i].MemoryMiB <= uses[i].MemoryMiB)
                continue;
            rooms[count] = new(cards[i], uses[i], AllowedBy(cards[i].Model));
            free += rooms[count++].Free;
        }
        if (count == 0)
            return 0;

        var unusable = 0d;
        foreach (ref readonly var part in _parts.AsSpan())
            unusable += Unusable(part, rooms[..count], free, host);
        return (long)Math.Round(unusable * 1_000_000);
    }

    private double Unusable(in CardPart part, ReadOnlySpan<Room> rooms, double free, HostRoom host)
    {
        int fitting = 0;
        double usable = 0, needs = 0;
        foreach (ref readonly var room in rooms)
        {
            var need = part.NeedMiB(room.MemoryMiB);
            if (!room.Takes(part, need))
                continue;
            fitting++;
            var share = need / room.MemoryMiB;
            needs += share;
            usable += room.Usable(part, share);
        }
        // Each pod takes so much of all its cards together.
        var perPod = fitting == 0 ? 0 : part.Cards * needs / fitting;
        var unusable = 0d;
        for (var h = part.FirstHost; h < part.EndHost; h++)
        {
            ref readonly var kind = ref _hosts[h];
            var fed = fitting < part.Cards ? 0 : kind.PodsFed(host);
            unusable += kind.Weight * (free - (fed < 1 ? 0 : Math.Min(usable, Relief * fed * perPod)));
        }
        return unusable;
    }

    private ulong AllowedBy(string model)
    {
        if (_allowedByModel.TryGetValue(model, out var known))
            return known;
        var allowed = 0UL;
        for (var i = 0; i < _wishes.Length; i++)
        {
            if (_wishes[i].AllowsType(model))
                allowed |= 1UL << i;
        }
        _allowedByModel[model] = allowed;
        return allowed;
    }

    /// <remarks>The square root: measured, it fills more than no weight and than the full ratio, which leaves the common cards behind.</remarks>
    private static double Scarcity(CardWish wish, IReadOnlyDictionary<string, int> cardsByModel)
    {
        var allowed = cardsByModel.Where(m => wish.AllowsType(m.Key)).Sum(m => (double)m.Value);
        return allowed > 0 ? Math.Sqrt(cardsByModel.Sum(m => (double)m.Value) / allowed) : 0;
    }

    private static (string Use, string Avoid) Types(WorkloadKind kind) => (kind.UseTypes, kind.AvoidTypes);

    private static string[] Words(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>What kinds ask of cards, and which hosts' requests come with it.</summary>
    private readonly struct CardPart(WorkloadKind kind, ulong type, int firstHost, int endHost)
    {
        private readonly long _memoryMiB = kind.MemoryMiB;
        private readonly int _memoryPercent = kind.MemoryPercent;

        public readonly int Cards = kind.Cards;
        public readonly int Cores = kind.Cores;
        public readonly ulong Type = type;
        public readonly int FirstHost = firstHost;
        public readonly int EndHost = endHost;

        public double NeedMiB(double cardMemoryMiB) => _memoryMiB > 0 ? _memoryMiB : Math.Floor(cardMemoryMiB * _memoryPercent / 100);
    }

    private readonly record struct HostPart(double CpuMilli, double MemoryMiB, double Weight)
    {
        public double PodsFed(HostRoom host) => Math.Min(
            CpuMilli > 0 ? host.CpuMilli / CpuMilli : double.MaxValue, MemoryMiB > 0 ? host.MemoryMiB / MemoryMiB : double.MaxValue);
    }

    /// <summary>What is free on one card.</summary>
    private readonly struct Room(Card card, CardUse use, ulong allowed)
    {
        private readonly ulong _allowed = allowed;
        private readonly double _freeMiB = card.MemoryMiB - use.MemoryMiB;
        private readonly int _freeCores = card.Cores - use.Cores;
        private readonly int _freeSlots = card.Slots - use.Slots;
        private readonly bool _inUse = use.Slots > 0;
        private readonly bool _coresGone = card.Cores != 0 && use.Cores >= card.Cores;

        public double MemoryMiB { get; } = card.MemoryMiB;

        /// <summary>The free part of the card's memory, 0 to 1.</summary>
        public double Free { get; } = (double)(card.MemoryMiB - use.MemoryMiB) / card.MemoryMiB;

        /// <summary>As <see cref="Fit"/> would answer a pod of this kind.</summary>
        public bool Takes(in CardPart part, double needMiB) =>
            needMiB <= _freeMiB && part.Cores <= _freeCores && _freeSlots > 0 && (_allowed & part.Type) != 0
            && !(part.Cores == 0 ? _coresGone : part.Cores == 100 && _inUse);

        /// <summary>How much of the free memory pods of this kind could use, bound by slots and cores.</summary>
        public double Usable(in CardPart part, double share)
        {
            var usable = Math.Min(Free, _freeSlots * share);
            return part.Cores == 0 ? usable : Math.Min(usable, Relief * _freeCores / part.Cores * share);
        }
    }
}
