using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class ChoosingANode
{
    // n1 has a card used to 25 %, n2 one used to 75 %, each beside an idle one.
    private static readonly NodeUse[] Two =
    [
        Node("n1", ("GPU-1", 0), ("GPU-2", 0)).With([new(0, "c", false, "GPU-1", 2000, 25)]),
        Node("n2", ("GPU-3", 0), ("GPU-4", 0)).With([new(0, "c", false, "GPU-4", 6000, 75)]),
    ];

    [Theory]
    [Trait("Hami", "case 62")]
    [Trait("Scoreboard", "C01")]
    [Trait("Scoreboard", "C02")]
    [InlineData(NodePolicy.Binpack, "binpack", "n2", "GPU-4")]
    [InlineData(NodePolicy.Binpack, "spread", "n2", "GPU-3")]
    [InlineData(NodePolicy.Spread, "binpack", "n1", "GPU-1")]
    [InlineData(NodePolicy.Spread, "spread", "n1", "GPU-2")]
    public void The_policies_over_nodes_and_over_cards_are_independent(NodePolicy nodes, string cards, string node, string card)
    {
        var best = NodeChoice.Among(Asks.Pod("p", memoryMiB: 1000, cores: 20, nodes: nodes, cards: cards), Two, Terms.Plain).Best!;

        Assert.Equal(node, best.Node.Name);
        Assert.Equal(card, Assert.Single(best.Shares).DeviceUuid);
    }

    [Fact]
    public void Equal_nodes_come_in_order_of_their_names_whatever_order_they_are_offered_in()
    {
        NodeUse[] nodes = [Node("c", ("GPU-c", 0)), Node("a", ("GPU-a", 0)), Node("b", ("GPU-b", 0))];

        var choice = NodeChoice.Among(Asks.Pod("p"), nodes, Terms.Plain);

        Assert.Equal("a", choice.Best!.Node.Name);
        Assert.Equal(["b", "c"], choice.RunnersUp.Select(n => n.Node));
        Assert.Equal(3, choice.Fitting);
    }

    [Fact]
    [Trait("Hami", "case 63")]
    public void A_pod_with_an_init_container_goes_where_both_find_room()
    {
        var best = NodeChoice.Among(OneNode.Pod("i1x5000/0 a1x4000/0", "binpack"), Two, Terms.Plain).Best!;

        Assert.Equal("n2", best.Node.Name);
        Assert.Equal(["GPU-3", "GPU-3"], best.Shares.Select(s => s.DeviceUuid));
    }

    [Theory]
    [Trait("Hami", "case 61")]
    [InlineData(1, 5, 15)]
    [InlineData(2, 5, 7.5)]
    [InlineData(2, 0, 0)]
    public void A_node_is_as_full_as_its_cards_are_together(int cards, int usedTenths, double score)
    {
        var node = OneNode.Equal(cards, memoryMiB: 8000).Used("GPU-0", usedTenths, usedTenths * 800, usedTenths * 10);

        Assert.Equal(score, node.Score, 9);
    }

    [Theory]
    [Trait("Scoreboard", "C01")]
    [Trait("Scoreboard", "C02")]
    [Trait("Scoreboard", "C03")]
    [InlineData(null, "a")]
    [InlineData("binpack", "a")]
    [InlineData("spread", "b")]
    public void The_second_pod_of_two_goes_to_the_same_of_two_equal_nodes_or_to_the_other_as_its_annotation_says(string? annotation, string second)
    {
        NodeUse[] nodes = [Node("a", ("GPU-a", 0)), Node("b", ("GPU-b", 0))];
        var shape = Pods.Shape("p", Pods.Container("main", gpu: 1, mem: 1000));
        if (annotation is not null)
            shape = shape with { Annotations = new Dictionary<string, string> { [HamiKeys.NodePolicy] = annotation } };
        var (ask, _) = PodAskParser.Parse(shape, NvidiaConfig.Hami, PlacementPolicy.Default);
        var first = NodeChoice.Among(ask, nodes, Terms.Plain).Best!;
        Assert.Equal("a", first.Node.Name);

        Assert.Equal(second, NodeChoice.Among(ask, [nodes[0].With(first.Shares), nodes[1]], Terms.Plain).Best!.Node.Name);
    }

    [Fact]
    [Trait("Scoreboard", "C10")]
    public void The_clusters_policies_count_where_the_pod_names_none()
    {
        var (ask, _) = PodAskParser.Parse(Pods.Shape("p", Pods.Container("main", gpu: 1, mem: 1000, cores: 20)), NvidiaConfig.Hami, new(NodePolicy.Spread, CardPolicy.Binpack));

        var best = NodeChoice.Among(ask, Two, Terms.Plain).Best!;

        Assert.Equal(("n1", "GPU-1"), (best.Node.Name, Assert.Single(best.Shares).DeviceUuid));
    }

    [Fact]
    [Trait("Scoreboard", "H05")]
    public void Every_node_that_does_not_fit_says_why()
    {
        var ask = Asks.Pod("p", memoryMiB: 99999);

        Assert.Null(NodeChoice.Among(ask, Two, Terms.Plain).Best);
        var refused = RefusedNodes.Of(ask, Two, Terms.Plain);
        Assert.All(refused.Nodes, n => Assert.StartsWith("2/2 CardInsufficientMemory", n.Reasons.Text, StringComparison.Ordinal));
        Assert.Equal(4, refused.Cards);
        var count = Assert.Single(refused.Counts);
        Assert.Equal(("CardInsufficientMemory", 4), (count.Reason, count.Cards));
        Assert.Equal(["n1", "n2"], count.ExampleNodes);
    }

    private static NodeUse Node(string name, params (string Uuid, int Numa)[] cards) => NodeUse.Of(
        name, NodeLedger.Empty with { Cards = [.. cards.Select((c, i) => Asks.Card(c.Uuid, memoryMiB: 8000, index: i, numa: c.Numa))] });
}
