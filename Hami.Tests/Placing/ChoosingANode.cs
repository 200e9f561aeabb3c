using Hami.Domain.Ledger;
using Hami.Domain.Placing;
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
    [InlineData(Packing.Binpack, Packing.Binpack, "n2", "GPU-4")]
    [InlineData(Packing.Binpack, Packing.Spread, "n2", "GPU-3")]
    [InlineData(Packing.Spread, Packing.Binpack, "n1", "GPU-1")]
    [InlineData(Packing.Spread, Packing.Spread, "n1", "GPU-2")]
    public void The_policies_over_nodes_and_over_cards_are_independent(Packing nodes, Packing cards, string node, string card)
    {
        var best = NodeChoice.Among(Asks.Pod("p", memoryMiB: 1000, cores: 20, nodes: nodes, cards: cards), Two).BestFirst[0];

        Assert.Equal(node, best.Node.Name);
        Assert.Equal(card, Assert.Single(best.Shares).DeviceUuid);
    }

    [Fact]
    public void Equal_nodes_come_in_order_of_their_names_whatever_order_they_are_offered_in()
    {
        NodeUse[] nodes = [Node("c", ("GPU-c", 0)), Node("a", ("GPU-a", 0)), Node("b", ("GPU-b", 0))];

        Assert.Equal(["a", "b", "c"], NodeChoice.Among(Asks.Pod("p"), nodes).BestFirst.Select(n => n.Node.Name));
    }

    [Fact]
    public void Every_node_that_does_not_fit_says_why()
    {
        var choice = NodeChoice.Among(Asks.Pod("p", memoryMiB: 99999), Two);

        Assert.Empty(choice.BestFirst);
        Assert.All(choice.Unfit, n => Assert.StartsWith("2/2 CardInsufficientMemory", n.Text(), StringComparison.Ordinal));
    }

    private static NodeUse Node(string name, params (string Uuid, int Numa)[] cards) => NodeUse.Of(
        name, NodeLedger.Empty with { Cards = [.. cards.Select((c, i) => Asks.Card(c.Uuid, memoryMiB: 8000, index: i, numa: c.Numa))] });
}
