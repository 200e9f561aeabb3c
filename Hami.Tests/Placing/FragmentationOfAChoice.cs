using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class FragmentationOfAChoice
{
    [Theory]
    // Free thousandths of the cards, what is asked, and which card is left most useful by it.
    [InlineData(new[] { 1000, 500 }, 500, 1)] // an idle card stays whole
    [InlineData(new[] { 700, 500 }, 200, 0)] // half a card stays half a card
    [InlineData(new[] { 1000, 300 }, 200, 1)] // of what no kind can use
    [InlineData(new[] { 600, 700, 1000 }, 100, 0)] // both stay large enough: the fuller card
    [InlineData(new[] { 400, 1000 }, 500, 1)] // the only one with room
    [InlineData(new[] { 1000, 1000 }, 1000, 0)] // alike: the lower index
    public void The_card_is_taken_whose_leftover_stays_most_useful(int[] free, int asked, int card)
    {
        var policy = new FragmentationPolicy(FragmentationOfANode.Workload(new([new(new(1, 500, 0, 0), 1), new(new(1, 0, 100, 0), 1)])));
        var node = FragmentationOfANode.Node(free);
        var ask = Asks.Pod("p", memoryMiB: asked);
        var order = new int[free.Length];

        policy.BestFirst(ask, ask.Containers[0], node, node.Uses, order);

        Assert.Equal(card, order[0]);
        Assert.Equal(Enumerable.Range(0, free.Length), order.Order());
    }

    [Fact]
    public void Only_asks_that_get_the_same_answer_everywhere_share_a_shape()
    {
        var policy = new FragmentationPolicy(FragmentationOfANode.Workload(new([new(new(1, 0, 100, 0), 1)])));
        var host = Asks.Pod("p", cards: "fragmentation") with { Host = new(100, 5) };
        PodAsk[] asks =
        [
            Wishing(CardWish.Any), Wishing(CardWish.Any with { UseTypes = ["A", "B"] }), Wishing(CardWish.Any with { UseTypes = ["A\n+B"] }),
            Wishing(CardWish.Any with { UseTypes = ["A\n+1:B"] }), Wishing(CardWish.Any with { UseTypes = ["A"], AvoidTypes = ["B"] }),
            Wishing(CardWish.Any with { Mode = "mig/False\n+A" }), Wishing(CardWish.Any with { Mode = "mig", UseTypes = ["A/False"] }),
            host, host with { Host = new(100, 51) }, host with { Host = new(100, 5), Weights = new(12, 1, 1) }, host with { Host = new(100, 51), Weights = new(2, 1, 1) },
        ];

        Assert.Equal(asks.Length, asks.Select(policy.Shape).Distinct().Count());
        Assert.Equal(policy.Shape(asks[1]), policy.Shape(asks[1] with { Uid = "q", Name = "q" }));
        Assert.Equal(-1, policy.Shape(Wishing(CardWish.Any with { UseUuids = [new('x', 4096)] })));

        static PodAsk Wishing(CardWish wish) => Asks.Pod("p", wish: wish);
    }

    [Fact]
    public void Scarce_models_are_kept_for_those_who_may_use_no_other()
    {
        var mix = new WorkloadMix([new(new(1, 0, 100, 0), 2), new(new(1, 0, 100, 0, UseTypes: "A"), 1), new(new(1, 0, 100, 0, UseTypes: "B"), 1)]);
        var policy = new FragmentationPolicy(new(mix, new Dictionary<string, int> { ["A"] = 900, ["B"] = 100 }));
        var ask = Asks.Pod("p", memoryMiB: 1000);

        Assert.True(Increase(policy, ask, FragmentationOfANode.Node([1000], "A")) < Increase(policy, ask, FragmentationOfANode.Node([1000], "B")));
    }

    [Fact]
    public void A_host_full_of_cpu_is_kept_for_idle_cards()
    {
        var policy = new FragmentationPolicy(FragmentationOfANode.Workload(new([new(new(1, 0, 100, 0, new(8000, 0)), 1)])));
        var heavy = Asks.Pod("p", memoryMiB: 100) with { Host = new(24_000, 0) };

        Assert.True(
            Increase(policy, heavy, FragmentationOfANode.Node([100], host: new(32_000, 0)))
            < Increase(policy, heavy, FragmentationOfANode.Node([100, 1000, 1000, 1000, 1000], host: new(32_000, 0))));
    }

    [Fact]
    public void The_first_card_leaves_what_a_node_with_the_pod_on_it_is_measured_to_have() =>
        Gen.Select(FragmentationGens.Mix, FragmentationGens.Node, FragmentationGens.Pod).Sample((mix, node, ask) =>
        {
            var policy = new FragmentationPolicy(FragmentationOfANode.Workload(mix));
            var container = ask.Containers[0];
            var order = new int[node.Cards.Length];
            var left = policy.BestFirst(ask, container, node, node.Uses, order);

            var least = long.MaxValue;
            for (var i = 0; i < node.Cards.Length; i++)
            {
                // Whatever the count asked, the first card gives one share.
                var one = ask with { Containers = [container with { Count = 1 }], Wish = ask.Wish with { UseUuids = [node.Cards[i].Uuid] } };
                var shares = new List<Share>();
                if (NodeFit.TryFit(one with { Cards = CardPolicy.Binpack }, node, Terms.Plain, shares, new int[CardRefusals.Count]))
                    least = Math.Min(least, policy.Workload.Unusable(node.With(shares).With(Less(node.Host, ask.Host))));
            }
            Assert.Equal(least, left);
        });

    [Fact]
    public void What_is_kept_beside_a_node_is_what_measuring_it_again_finds() =>
        Gen.Select(FragmentationGens.Mix, FragmentationGens.Node, FragmentationGens.Pod.Array[1, 40]).Sample((mix, node, asks) =>
        {
            var policy = new FragmentationPolicy(FragmentationOfANode.Workload(mix));
            var scores = new FragmentationScores(policy);
            foreach (var ask in asks)
            {
                var shape = policy.Shape(ask);
                var found = Increase(policy, ask, node);
                if (scores.TryGet(shape, out var kept))
                    Assert.Equal(found, kept);
                scores.Keep(shape, found);
                Assert.True(scores.TryGet(shape, out kept));
                Assert.Equal(found, kept);
                Assert.Equal(policy.Workload.Unusable(node), scores.Unusable(node));
                Assert.Equal(found, Increase(new(FragmentationOfANode.Workload(mix)), ask, node));
            }
        });

    [Fact]
    public void Asks_have_one_shape_exactly_when_nothing_that_counts_differs()
    {
        var policy = new FragmentationPolicy(FragmentationOfANode.Workload(WorkloadMix.Assumed));
        var ask = Asks.Pod("p", memoryMiB: 500, nodes: NodePolicy.Fragmentation) with { Host = new(1000, 1000) };
        PodAsk[] others =
        [
            ask with { Host = new(2000, 1000) },
            ask with { Host = null },
            ask with { Nodes = NodePolicy.Binpack },
            ask with { Weights = new(1, 2, 3) },
            ask with { Cards = new("fragmentation,mutex") },
            ask with { Wish = new(["A"], [], [], []) },
            ask with { Wish = new([], ["A"], [], []) },
            ask with { Wish = new([], [], ["A"], []) },
            ask with { Wish = CardWish.Any with { OneNuma = true } },
            ask with { Containers = [ask.Containers[0] with { Count = 2 }] },
            ask with { Containers = [ask.Containers[0] with { MemoryMiB = 501 }] },
            ask with { Containers = [ask.Containers[0] with { Cores = 1 }] },
            ask with { Containers = [ask.Containers[0] with { EndsBeforeApps = true }] },
            ask with { Containers = [.. ask.Containers, ask.Containers[0]] },
        ];

        Assert.Equal(policy.Shape(ask), policy.Shape(ask with { Uid = "q", Name = "q", Containers = [ask.Containers[0] with { Name = "other" }] }));
        Assert.Equal(others.Length, others.Select(policy.Shape).Where(s => s != policy.Shape(ask)).Distinct().Count());
    }

    [Fact]
    public void More_shapes_than_are_remembered_are_computed_each_time()
    {
        var policy = new FragmentationPolicy(FragmentationOfANode.Workload(WorkloadMix.Assumed));
        var shapes = Enumerable.Range(1, 2000).Select(m => policy.Shape(Asks.Pod("p", memoryMiB: m))).ToList();
        var scores = new FragmentationScores(policy);

        scores.Keep(shapes[^1], 5);

        Assert.Equal(-1, shapes[^1]);
        Assert.False(scores.TryGet(shapes[^1], out _));
        Assert.Equal(1024, shapes.Where(s => s >= 0).Distinct().Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(800)]
    [InlineData(-800)]
    [InlineData(FragmentationScores.Unfit)]
    public void Any_increase_can_be_kept(int increase)
    {
        var scores = new FragmentationScores(new(FragmentationOfANode.Workload(WorkloadMix.Assumed)));

        scores.Keep(3, increase);

        Assert.True(scores.TryGet(3, out var kept));
        Assert.Equal(increase, kept);
        Assert.False(scores.TryGet(2, out _));
        Assert.False(scores.TryGet(400, out _));
    }

    private static int Increase(FragmentationPolicy policy, PodAsk ask, NodeUse node)
    {
        var left = policy.BestFirst(ask, ask.Containers[0], node, node.Uses, new int[node.Cards.Length]);
        return left == long.MaxValue ? FragmentationScores.Unfit : FragmentationPolicy.Increase(policy.Workload.Unusable(node), left);
    }

    private static HostRoom? Less(HostRoom? host, HostRoom? taken) =>
        host is null ? null : new(host.CpuMilli - (taken?.CpuMilli ?? 0), host.MemoryMiB - (taken?.MemoryMiB ?? 0));
}
