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

    private const long WholeInMillionths = 1_000_000;

    // The scratch of a larger workload goes to the heap.
    internal const int CommonParts = 256;

    private readonly CardPart[] _parts;
    private readonly HostPart[] _hosts;
    private readonly double _weight;
    private readonly CardWish[] _wishes;
    private readonly bool _anyModel;
    private readonly ConcurrentDictionary<string, ulong> _allowedByModel = new(StringComparer.Ordinal);

    /// <summary>Prepares the measure.</summary>
    /// <param name="cardsByModel">The cluster's cards, by model: what may use few of them weighs more, so that these are kept for it. Empty when that is not known.</param>
    public Workload(WorkloadMix mix, IReadOnlyDictionary<string, int> cardsByModel)
    {
        ArgumentNullException.ThrowIfNull(mix);
        ArgumentNullException.ThrowIfNull(cardsByModel);
        Mix = mix;
        var types = mix.Kinds.Select(k => Types(k.Kind)).Distinct().Take(MostTypes).ToList();
        _wishes = [.. types.Select(t => new CardWish(Words(t.Use), Words(t.Avoid), [], []))];
        _anyModel = _wishes is [{ AllowsAll: true }];
        var scarcity = _wishes.Select(w => Scarcity(w, cardsByModel)).ToList();
        var kinds = mix.Kinds
            .Select(k => k with { Weight = k.Kind.Cards > 0 && types.IndexOf(Types(k.Kind)) is >= 0 and var type ? k.Weight * scarcity[type] : 0 })
            .Where(k => k.Weight > 0)
            .ToList();
        var sum = kinds.Sum(k => k.Weight);

        var parts = new List<CardPart>();
        var hosts = new List<HostPart>();
        // Kinds that ask the same of cards share one walk over the cards.
        foreach (var same in kinds.GroupBy(k => k.Kind with { Host = null }))
        {
            var first = hosts.Count;
            hosts.AddRange(same.Select(k => new HostPart(k.Kind.Host, k.Weight / sum)));
            parts.Add(new(AsContainer(same.Key), 1UL << types.IndexOf(Types(same.Key)), first, hosts.Count));
        }
        _parts = [.. parts];
        _hosts = [.. hosts];
        _weight = _hosts.Sum(h => h.Weight);
    }

    public WorkloadMix Mix { get; }

    /// <summary>How many <see cref="PartSum"/> and how many fed pods one measurement has room for.</summary>
    internal (int Parts, int Hosts) Size => (_parts.Length, _hosts.Length);

    /// <summary>
    /// The free device memory that a pod of the workload cannot be expected to use, over all cards of the node that are open, in millionths
    /// of a card.
    /// </summary>
    public long Unusable(NodeUse node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return Unusable(node, node.Uses, null);
    }

    /// <summary>As <see cref="Unusable(NodeUse)"/>, with other uses of its cards, and a pod's request taken from its host.</summary>
    public long Unusable(NodeUse node, ReadOnlySpan<CardUse> uses, HostRoom? taken)
    {
        ArgumentNullException.ThrowIfNull(node);
        Span<PartSum> sums = _parts.Length <= CommonParts ? stackalloc PartSum[_parts.Length] : new PartSum[_parts.Length];
        Span<double> fed = _hosts.Length <= CommonParts ? stackalloc double[_hosts.Length] : new double[_hosts.Length];
        var free = Sum(node, uses, sums);
        Feed(node.Host, taken, fed);
        return Weigh(free, sums, fed);
    }

    /// <summary>Adds up what the cards of a node are to each part of the workload.</summary>
    /// <returns>What is free, in millionths of a card.</returns>
    internal long Sum(NodeUse node, ReadOnlySpan<CardUse> uses, Span<PartSum> sums)
    {
        sums.Clear();
        var free = 0L;
        for (var i = 0; i < uses.Length; i++)
        {
            var left = LeftOf(node, i, uses[i]);
            free += left.Free;
            for (var p = 0; p < _parts.Length && left.Free > 0; p++)
                sums[p] += left.For(_parts[p]);
        }
        return free;
    }

    /// <summary>As <see cref="Sum"/>, when one card of the node goes from one use to another.</summary>
    internal long Change(long free, ReadOnlySpan<PartSum> sums, NodeUse node, int card, CardUse from, CardUse to, Span<PartSum> changed)
    {
        var before = LeftOf(node, card, from);
        var after = LeftOf(node, card, to);
        for (var p = 0; p < _parts.Length; p++)
            changed[p] = sums[p] - before.For(_parts[p]) + after.For(_parts[p]);
        return free - before.Free + after.Free;
    }

    /// <summary>How many pods of each kind the host could feed.</summary>
    internal void Feed(HostRoom? host, HostRoom? taken, Span<double> fed)
    {
        if (host is null)
        {
            fed.Fill(double.MaxValue);
            return;
        }
        var cpuMilli = host.CpuMilli - (taken?.CpuMilli ?? 0);
        var memoryMiB = host.MemoryMiB - (taken?.MemoryMiB ?? 0);
        for (var h = 0; h < _hosts.Length; h++)
            fed[h] = _hosts[h].PodsFed(cpuMilli, memoryMiB);
    }

    internal long Weigh(long free, ReadOnlySpan<PartSum> sums, ReadOnlySpan<double> fed)
    {
        var used = 0d;
        for (var p = 0; p < _parts.Length; p++)
        {
            ref readonly var part = ref _parts[p];
            var sum = sums[p];
            if (sum.Fitting < part.Ask.Count)
                continue;
            // Each pod takes so much of all its cards together.
            var perPod = Relief * part.Ask.Count * sum.Needs / sum.Fitting;
            double usable = sum.Usable;
            for (var h = part.FirstHost; h < part.EndHost; h++)
            {
                var fit = fed[h] * perPod;
                used += _hosts[h].Weight * (fit < usable ? fit : usable);
            }
        }
        // The weights add up to one only nearly.
        return Math.Max(0, (long)Math.Round((_weight * free) - used));
    }

    private CardLeft LeftOf(NodeUse node, int card, CardUse use)
    {
        var room = CardRoom.Of(node.Cards[card], use, node.IsCordoned(card));
        return room.Traits.HasFlag(CardTraits.Open) && room.FreeMiB > 0 ? new(room, AllowedBy(node.Cards[card])) : default;
    }

    private ulong AllowedBy(Card card)
    {
        if (_anyModel)
            return 1;
        if (_allowedByModel.TryGetValue(card.Model, out var known))
            return known;
        var allowed = 0UL;
        for (var i = 0; i < _wishes.Length; i++)
        {
            if (_wishes[i].AllowsModel(card.Model))
                allowed |= 1UL << i;
        }
        _allowedByModel[card.Model] = allowed;
        return allowed;
    }

    /// <summary>How much more a kind weighs that may use few of the cards.</summary>
    /// <remarks>The square root: measured, it fills more than no weight and than the full ratio, which leaves the common cards behind.</remarks>
    private static double Scarcity(CardWish wish, IReadOnlyDictionary<string, int> cardsByModel)
    {
        if (cardsByModel.Count == 0)
            return 1;
        var allowed = cardsByModel.Where(m => wish.AllowsModel(m.Key)).Sum(m => (double)m.Value);
        return allowed > 0 ? Math.Sqrt(cardsByModel.Sum(m => (double)m.Value) / allowed) : 0;
    }

    private static ContainerAsk AsContainer(WorkloadKind kind) => new("", false, kind.Cards, kind.MemoryMiB, kind.MemoryPercent, kind.Cores);

    private static (string Use, string Avoid) Types(WorkloadKind kind) => (kind.UseTypes, kind.AvoidTypes);

    private static string[] Words(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>What kinds ask of cards, and which hosts' requests come with it.</summary>
    private readonly record struct CardPart(ContainerAsk Ask, ulong Type, int FirstHost, int EndHost);

    private readonly struct HostPart(HostRoom? asked, double weight)
    {
        private readonly long _cpuMilli = asked?.CpuMilli ?? 0;
        private readonly long _memoryMiB = asked?.MemoryMiB ?? 0;

        public readonly double Weight = weight;

        /// <summary>0 when the host cannot feed one.</summary>
        public double PodsFed(long cpuMilli, long memoryMiB) => cpuMilli < _cpuMilli || memoryMiB < _memoryMiB ? 0 : Math.Min(
            _cpuMilli > 0 ? (double)cpuMilli / _cpuMilli : double.MaxValue, _memoryMiB > 0 ? (double)memoryMiB / _memoryMiB : double.MaxValue);
    }

    /// <summary>What is left of one card; the default has nothing.</summary>
    private readonly struct CardLeft(CardRoom room, ulong allowed)
    {
        private readonly CardRoom _room = room;
        private readonly ulong _allowed = allowed;
        private readonly double _perMiB = (double)WholeInMillionths / room.MemoryMiB;

        /// <summary>The free part of the card's memory, in millionths.</summary>
        public readonly long Free = (long)((double)WholeInMillionths / room.MemoryMiB * room.FreeMiB);

        /// <summary>How much of the free memory pods of this part could use, bound by slots and cores; nothing if the card cannot serve one.</summary>
        public PartSum For(in CardPart part)
        {
            if ((_allowed & part.Type) == 0 || !_room.Serves(part.Ask, idleOnly: false))
                return default;
            var need = (long)(part.Ask.NeedMiB(_room.MemoryMiB) * _perMiB);
            if (part.Ask.Cores == 0)
                return new(1, need, Math.Min(Free, _room.FreeSlots * need));
            // A pod that takes more of the compute than of the memory uses the card as far as its compute goes.
            var pods = Relief * _room.FreeCores / part.Ask.Cores;
            need = Math.Max(need, part.Ask.Cores * WholeInMillionths / ContainerAsk.WholeCard);
            return new(1, need, Math.Min(Free, (long)(Math.Min(_room.FreeSlots, pods) * need)));
        }
    }

    /// <summary>What the cards of a node are to one part of the workload; whole numbers, so that the order of adding does not matter.</summary>
    /// <param name="Fitting">Cards that can take one more pod of it.</param>
    /// <param name="Needs">What one pod takes of a card, added over these cards, in millionths of a card.</param>
    /// <param name="Usable">What pods of it could use of these cards, in millionths of a card.</param>
    internal readonly record struct PartSum(int Fitting, long Needs, long Usable)
    {
        public static PartSum operator +(PartSum a, PartSum b) => new(a.Fitting + b.Fitting, a.Needs + b.Needs, a.Usable + b.Usable);

        public static PartSum operator -(PartSum a, PartSum b) => new(a.Fitting - b.Fitting, a.Needs - b.Needs, a.Usable - b.Usable);
    }
}
