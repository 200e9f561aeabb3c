using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>Ranks for kube-scheduler, 0 to 10, of nodes with one card of 10,000 MiB.</summary>
public sealed class RankingNodes
{
    [Theory]
    // MiB taken of each node's card; the pod asks 5,000.
    [InlineData(NodePolicy.Binpack, "0 2500 5000", "1 6 10")]
    [InlineData(NodePolicy.Spread, "0 2500 5000", "10 5 1")]
    [InlineData(NodePolicy.Binpack, "0 6000 5000", "1 0 10")]
    [InlineData(NodePolicy.Spread, "6000 6000", "0 0")]
    [InlineData(NodePolicy.Binpack, "2500 2500", "10 10")]
    [InlineData(NodePolicy.Binpack, "", "")]
    // What is left of the half card serves no typical pod, of 6,000, anyway; of the idle card it would have.
    [InlineData(NodePolicy.Fragmentation, "5000 0 6000", "10 1 0")]
    public void A_better_node_by_the_pods_policy_gets_more_and_one_that_cannot_take_it_nothing(NodePolicy policy, string taken, string ranks)
    {
        var nodes = taken.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select((t, i) => Node($"n{i}", long.Parse(t))).ToList();
        var terms = Terms.Plain with { Typical = new(new(new([new(new(1, 6000, 0, 0), 1)]), new Dictionary<string, int>(StringComparer.Ordinal))) };

        Assert.Equal(ranks, string.Join(' ', NodeRanks.Of(Asks.Pod("p", memoryMiB: 5000, nodes: policy), nodes, terms)));
    }

    [Fact]
    public void The_best_rank_is_the_choices()
    {
        var nodes = Enumerable.Range(0, 9).Select(i => Node($"n{i}", i * 1000)).ToList();
        foreach (var policy in Enum.GetValues<NodePolicy>())
        {
            var ask = Asks.Pod("p", memoryMiB: 3000, nodes: policy);
            var best = NodeChoice.Among(ask, nodes, Terms.Plain).Best!.Node;
            Assert.Equal(NodeRanks.Best, NodeRanks.Of(ask, nodes, Terms.Plain)[nodes.IndexOf(best)]);
        }
    }

    private static NodeUse Node(string name, long takenMiB) => NodeUse.Of(name, NodeLedger.Empty with { Cards = [Asks.Card($"GPU-{name}", memoryMiB: 10000)] })
        .With(takenMiB == 0 ? [] : [new(0, "c", false, $"GPU-{name}", takenMiB, 0)]);
}
