using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class RefusingAPod
{
    private static readonly NodeUse Full = Node("n1", 8, takenMiB: 8000);

    [Fact]
    public void The_message_counts_cards_per_reason_in_words()
    {
        var refused = Refuse(Full, Node("n2", 4, takenMiB: 8000, free: 1));

        Assert.Equal(
            "No node has what the pod asks: of 12 cards on 2 nodes, 1 card: usable, but more are needed; 11 cards: too little free memory.",
            refused!.Message);
        Assert.Equal([1, 11], refused.Reasons.Select(r => r.Cards));
        Assert.Equal(["n1", "n2"], refused.Reasons[1].ExampleNodes);
    }

    [Fact]
    public void The_same_reasons_again_are_no_event_and_other_reasons_are()
    {
        var cluster = ClusterLedger.Evolve(ClusterLedger.Empty, Streams.Pod("p"), DateTimeOffset.UnixEpoch, Refuse(Full)!);

        Assert.Null(Refuse(cluster, Full));
        Assert.NotNull(Refuse(cluster, Node("n1", 8, takenMiB: 0, healthy: false)));
    }

    private static PodEvent.PlacementRefused? Refuse(params NodeUse[] nodes) => Refuse(ClusterLedger.Empty, nodes);

    private static PodEvent.PlacementRefused? Refuse(ClusterLedger cluster, params NodeUse[] nodes)
    {
        var ask = Asks.Pod("p", count: 2, memoryMiB: 3000);
        return (PodEvent.PlacementRefused?)RefusePlacementDecider
            .Decide(new(ask, RefusedNodes.Of(ask, nodes, Terms.Plain), 0, 7), cluster).Events.SingleOrDefault();
    }

    private static NodeUse Node(string name, int cards, long takenMiB, int free = 0, bool healthy = true) => Enumerable.Range(free, cards - free).Aggregate(
        NodeUse.Of(name, NodeLedger.Empty with
        {
            Cards = [.. Enumerable.Range(0, cards).Select(i => Asks.Card($"GPU-{i}", memoryMiB: 8000, index: i, healthy: healthy))],
        }),
        (node, i) => node.With([new(0, "c", false, $"GPU-{i}", takenMiB, 0)]));
}
