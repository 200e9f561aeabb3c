using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>A node n1 with cards GPU-0, GPU-1, … and what is on them, in the words of the tests.</summary>
internal static class OneNode
{
    public static NodeUse With(params Card[] cards) => NodeUse.Of("n1", NodeLedger.Empty with { Cards = cards });

    public static NodeUse Equal(int cards, long memoryMiB = 40960, int slots = 10) =>
        With([.. Enumerable.Range(0, cards).Select(i => Asks.Card($"GPU-{i}", memoryMiB: memoryMiB, slots: slots, index: i))]);

    /// <summary>A node of the slow placement, as the fast one sees it.</summary>
    public static NodeUse Of(SlowNode node) => node.Pods.Aggregate(
        NodeUse.Of(node.Name, NodeLedger.Empty with { Cards = node.Cards, Links = node.Links, Cordoned = [.. node.Cordoned] }), (use, pod) => use.With(pod));

    /// <summary>Written as NUMA node and users of each card, such as <c>0:1 1:2</c>; each user takes one core.</summary>
    public static NodeUse Numa(string cards)
    {
        var read = cards.Split(' ').Select((c, i) => (Card: Asks.Card($"GPU-{i}", index: i, numa: c[0] - '0'), Users: c[2] - '0')).ToArray();
        return read.Aggregate(With([.. read.Select(c => c.Card)]), (node, c) => Used(node, c.Card.Uuid, c.Users, 0, c.Users));
    }

    /// <summary>So many slots, so much memory and so many cores more in use.</summary>
    public static NodeUse Used(this NodeUse node, string uuid, int slots, long memoryMiB, int cores)
    {
        for (var i = 0; i < slots; i++)
            node = node.With([new(0, "c", false, uuid, i == 0 ? memoryMiB : 0, i == 0 ? cores : 0)]);
        return node;
    }

    /// <summary>UUIDs of the cards of each share in order, or HAMi's reason words.</summary>
    public static string Try(this NodeUse node, PodAsk ask)
    {
        var shares = new List<Share>();
        var refusals = new int[CardRefusals.Count];
        if (NodeFit.TryFit(ask, node, Terms.Plain, shares, refusals))
            return string.Join(' ', shares.Select(s => s.DeviceUuid));
        var text = UnfitReasons.From(node.Cards.Length, refusals).Text;
        return text[..text.IndexOf(" (", StringComparison.Ordinal)];
    }

    /// <summary>As <see cref="Try"/>, with what each share is: memory, cores and the MIG instance.</summary>
    public static string TryInFull(this NodeUse node, PodAsk ask)
    {
        var shares = new List<Share>();
        return NodeFit.TryFit(ask, node, Terms.Plain, shares, new int[CardRefusals.Count])
            ? string.Join(' ', shares.Select(s => s.Mig is { } mig ? $"{mig.Profile}@{mig.Start}:{s.MemoryMiB}/{s.Cores}" : $"{s.DeviceUuid}:{s.MemoryMiB}/{s.Cores}"))
            : node.Try(ask);
    }

    /// <summary>Containers written as kind (<c>i</c> ends before the apps, <c>s</c> sidecar, <c>a</c> app), count × MiB / cores: <c>i2x4000/0 a1x500/30</c>.</summary>
    public static PodAsk Pod(string containers, string cards = "spread", NodePolicy nodes = NodePolicy.Binpack) => Asks.Pod("p", cards: cards, nodes: nodes) with
    {
        Containers =
        [
            .. containers.Split(' ').Select((text, i) =>
            {
                var numbers = text[1..].Split('x', '/').Select(int.Parse).ToArray();
                return new ContainerAsk($"c{i}", text[0] == 'i', numbers[0], numbers[1], 0, numbers[2]);
            }),
        ],
    };
}
