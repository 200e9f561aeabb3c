using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Hami.Domain.Ledger;

namespace Hami.Domain.Placing.Fragmentation;

/// <summary>Places a pod where the memory that the typical workload cannot use grows least, over nodes and over the cards of a node.</summary>
/// <remarks>
/// Lives as long as one <see cref="Workload"/>; what it finds about one state of a node is kept in a <see cref="FragmentationScores"/>
/// beside that state, so a decision computes only what has changed since the same was asked before.
/// </remarks>
public sealed class FragmentationPolicy(Workload workload)
{
    // Smaller differences, in millionths of a card, are noise of the estimate; counting them as equal keeps the order of the nodes
    // and fills one node before the next. Measured on the openb traces.
    private const long Grain = 10_000;

    // Shapes of asks that are remembered; a cluster has some hundred. Others are computed each time.
    private const int MostShapes = 1024;

    // Annotations may be as long as 256 KiB; such a pod is computed each time.
    private const int LongestKey = 2048;

    private readonly ConcurrentDictionary<string, int> _shapes = new(StringComparer.Ordinal);

    // Ways of a node to refuse that are put into words once; more than any cluster has, and further ones are not kept.
    private const int MostReasons = 4096;

    private readonly ConcurrentDictionary<UInt128, UnfitReasons> _reasons = new();

    public Workload Workload { get; } = workload;

    /// <summary>The reasons of a node; thousands of nodes refuse in a few ways, and those that refuse alike share one.</summary>
    internal UnfitReasons Shared(int cards, ReadOnlySpan<int> refusals)
    {
        if (cards > byte.MaxValue || refusals.ContainsAnyExceptInRange(0, byte.MaxValue))
            return UnfitReasons.From(cards, refusals);
        UInt128 key = (byte)cards;
        for (var r = 1; r < refusals.Length; r++)
            key = (key << 8) | (byte)refusals[r];
        if (_reasons.TryGetValue(key, out var known))
            return known;
        var reasons = UnfitReasons.From(cards, refusals);
        return _reasons.Count < MostReasons ? _reasons.GetOrAdd(key, reasons) : reasons;
    }

    /// <summary>A number that equal asks share, to look up what they cost; -1 when too many shapes are known already, or this one is too long to keep.</summary>
    public int Shape(PodAsk ask)
    {
        ArgumentNullException.ThrowIfNull(ask);
        var key = Key(ask);
        if (key.Length > LongestKey)
            return -1;
        if (_shapes.TryGetValue(key, out var known))
            return known;
        lock (_shapes)
        {
            if (_shapes.TryGetValue(key, out known))
                return known;
            return _shapes.Count < MostShapes ? _shapes[key] = _shapes.Count : -1;
        }
    }

    /// <summary>
    /// How much more becomes unusable when a node goes over to another state, in steps of a hundredth of a card; below zero when more
    /// of the unusable is taken than arises.
    /// </summary>
    /// <param name="before">From <see cref="FragmentationScores.Unusable"/> of the state before.</param>
    /// <param name="after">From <see cref="Workload"/> or <see cref="BestFirst"/>.</param>
    public static int Increase(long before, long after) => (int)Math.Floor((double)(after - before) / Grain);

    /// <summary>
    /// The order in which to try the cards of a node for one container: least increase first, then the fuller card, then the lower
    /// index; cards that cannot take it come last.
    /// </summary>
    /// <param name="uses">What is taken of each card, by containers placed before among others.</param>
    /// <param name="order">As long as the node has cards; filled here.</param>
    /// <returns>
    /// What the workload cannot use of the node once the pod is there and the first card has given its share, so that it need not be
    /// measured again; <see cref="long.MaxValue"/> when no card can take the container.
    /// </returns>
    public long BestFirst(PodAsk ask, ContainerAsk container, NodeUse node, ReadOnlySpan<CardUse> uses, Span<int> order)
    {
        ArgumentNullException.ThrowIfNull(ask);
        ArgumentNullException.ThrowIfNull(container);
        ArgumentNullException.ThrowIfNull(node);
        var count = uses.Length;
        if (count == 0)
            return long.MaxValue;
        var costs = count <= NodeUse.CommonCards ? stackalloc long[count] : new long[count];
        Costs(ask, container, node, uses, costs);
        for (var i = 0; i < count; i++)
        {
            // Insertion sort: a node has few cards, and nothing is allocated.
            var at = i;
            while (at > 0 && ComesBefore(node.Cards, uses, costs, i, order[at - 1]))
            {
                order[at] = order[at - 1];
                at--;
            }
            order[at] = i;
        }
        return costs[order[0]];
    }

    private void Costs(PodAsk ask, ContainerAsk container, NodeUse node, ReadOnlySpan<CardUse> uses, Span<long> costs)
    {
        var (parts, hosts) = Workload.Size;
        var sums = parts <= Workload.CommonParts ? stackalloc Workload.PartSum[parts] : new Workload.PartSum[parts];
        var changed = parts <= Workload.CommonParts ? stackalloc Workload.PartSum[parts] : new Workload.PartSum[parts];
        var fed = hosts <= Workload.CommonParts ? stackalloc double[hosts] : new double[hosts];
        var free = Workload.Sum(node, uses, sums);
        Workload.Feed(node.Host, ask.Host, fed);
        for (var i = 0; i < uses.Length; i++)
        {
            costs[i] = long.MaxValue;
            if (!Takes(ask, container, node, i, uses[i]))
                continue;
            for (var j = 0; j < i && costs[i] == long.MaxValue; j++)
            {
                if (uses[j] == uses[i] && Alike(node.Cards[j], node.Cards[i]))
                    costs[i] = costs[j];
            }
            if (costs[i] == long.MaxValue)
            {
                var cores = container.Cores;
                var taken = uses[i] + new CardUse(1, cores, container.NeedMiB(node.Cards[i].MemoryMiB), cores == ContainerAsk.WholeCard ? 1 : 0);
                var left = Workload.Change(free, sums, node, i, uses[i], taken, changed);
                costs[i] = Workload.Weigh(left, changed, fed);
            }
        }
    }

    private static bool Takes(PodAsk ask, ContainerAsk container, NodeUse node, int card, CardUse use) =>
        CardRoom.Of(node.Cards[card], use, node.IsCordoned(card)).Serves(container, ask.Cards.IdleOnly)
        && (ask.Wish.AllowsAll || (ask.Wish.AllowsType(node.Cards[card]) && ask.Wish.AllowsUuid(node.Cards[card].Uuid)));

    private static bool Alike(Card a, Card b) =>
        a.MemoryMiB == b.MemoryMiB && a.Cores == b.Cores && a.Slots == b.Slots && a.Healthy == b.Healthy && string.Equals(a.Model, b.Model, StringComparison.Ordinal);

    private static bool ComesBefore(ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, ReadOnlySpan<long> costs, int a, int b) =>
        costs[a] != costs[b]
            ? costs[a] < costs[b]
            : cards[a].MemoryMiB - uses[a].MemoryMiB < cards[b].MemoryMiB - uses[b].MemoryMiB;

    private static string Key(PodAsk ask)
    {
        var key = new StringBuilder(64);
        for (var i = 0; i < ask.Containers.Count; i++)
        {
            var c = ask.Containers[i];
            if (c.Count > 0)
                key.Append(CultureInfo.InvariantCulture, $"{(c.EndsBeforeApps ? 'i' : 'a')}{c.Count}x{c.MemoryMiB}M{c.MemoryPercent}%{c.Cores}c;");
        }
        // It also decides in which order cards are tried, and with several containers thereby what fits.
        if (ask.Nodes is NodePolicy.Fragmentation || ask.Cards.LeastFragmenting)
            key.Append(CultureInfo.InvariantCulture, $"{ask.Host?.CpuMilli}m{ask.Host?.MemoryMiB}h");
        if (ask.Weights is { } weights)
            key.Append(CultureInfo.InvariantCulture, $"{weights.Slot}:{weights.Core}:{weights.Memory}");
        key.Append(CultureInfo.InvariantCulture, $"/{(int)ask.Nodes}/{ask.Cards.Word}/{ask.Wish.OneNuma}");
        if (ask.Wish.Mode is { } mode)
            Append(key, '=', mode);
        Append(key, '+', ask.Wish.UseTypes);
        Append(key, '-', ask.Wish.AvoidTypes);
        Append(key, '!', ask.Wish.UseUuids);
        Append(key, '~', ask.Wish.AvoidUuids);
        return key.ToString();
    }

    private static void Append(StringBuilder key, char kind, IReadOnlyList<string> words)
    {
        for (var i = 0; i < words.Count; i++)
            Append(key, kind, words[i]);
    }

    // With its length before it no word of a user's can pass for two, or for the end of the key: another's pods would get its answers.
    private static void Append(StringBuilder key, char kind, string word) => key.Append('\n').Append(kind).Append(word.Length).Append(':').Append(word);
}
