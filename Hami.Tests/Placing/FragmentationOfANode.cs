using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class FragmentationOfANode
{
    private const long Card = 1_000_000;

    private static readonly Dictionary<string, int> Supply = new(StringComparer.Ordinal) { ["A"] = 100, ["B"] = 100 };

    // One of two pods asks for half a card, the other for all of it.
    private static readonly WorkloadMix HalvesAndWholes = new([new(new(1, 500, 0, 0), 1), new(new(1, 0, 100, 0), 1)]);

    [Theory]
    // Free thousandths of each card, and what the paper's definition calls unusable: every card too small for a kind counts for it.
    [InlineData(new[] { 1000 }, 0)]
    [InlineData(new[] { 700 }, 350)]
    [InlineData(new[] { 500 }, 250)]
    [InlineData(new[] { 300 }, 300)]
    [InlineData(new[] { 0 }, 0)]
    [InlineData(new[] { 700, 700 }, 700)]
    [InlineData(new[] { 300, 1000 }, 300)]
    [InlineData(new[] { 300, 600, 1000 }, 600)]
    public void What_is_free_on_cards_too_small_for_a_kind_is_unusable_for_it(int[] free, int unusableMilli) =>
        Assert.Equal(unusableMilli * 1000L, Workload(HalvesAndWholes).Unusable(Node(free)));

    [Theory]
    [InlineData(new[] { 1000, 1000, 500, 500 }, 1000)]
    [InlineData(new[] { 1000, 500 }, 1500)]
    public void All_that_is_free_is_unusable_for_a_kind_that_wants_more_cards_than_have_room(int[] free, int unusableMilli) =>
        Assert.Equal(unusableMilli * 1000L, Workload(new([new(new(2, 0, 100, 0), 1)])).Unusable(Node(free)));

    [Theory]
    // A pod asks 10 cores and one of four idle cards. One that cannot be fed gets nothing; where fewer than half of what the cards
    // hold could be fed, the rest is out of reach.
    [InlineData(9, 4)]
    [InlineData(10, 2)]
    [InlineData(15, 1)]
    [InlineData(20, 0)]
    [InlineData(400, 0)]
    [InlineData(null, 0)]
    public void Cards_that_the_host_cannot_feed_are_unusable(int? hostCores, int unusableCards)
    {
        var kind = new WorkloadKind(1, 0, 100, 0, new(10_000, 0));

        var node = Node([1000, 1000, 1000, 1000], host: hostCores is { } cores ? new(cores * 1000, 4096) : null);

        Assert.Equal(unusableCards * Card, Workload(new([new(kind, 1)])).Unusable(node));
    }

    [Fact]
    public void A_host_without_memory_feeds_nobody_whatever_its_cores() =>
        Assert.Equal(Card, Workload(new([new(new(1, 0, 100, 0, new(1000, 4096)), 1)])).Unusable(Node([1000], host: new(64_000, 4095))));

    [Theory]
    [InlineData(100, 10, 0)]
    [InlineData(30, 10, 400)]
    [InlineData(9, 10, 1000)]
    [InlineData(100, 50, 0)]
    [InlineData(60, 50, 0)]
    [InlineData(100, 100, 0)]
    [InlineData(99, 100, 1000)]
    [InlineData(0, 0, 1000)]
    public void Memory_beside_which_no_cores_are_left_is_unusable(int freeCores, int askedCores, int unusableMilli)
    {
        var node = NodeUse.Of("n", NodeLedger.Empty with { Cards = [Model("A", 0)] });
        if (freeCores < 100)
            node = node.With([new(0, "c", false, "A-0", 0, 100 - freeCores)]);

        Assert.Equal(unusableMilli * 1000L, Workload(new([new(new(1, 100, 0, askedCores), 1)])).Unusable(node));
    }

    [Fact]
    public void Memory_for_which_no_slots_are_left_is_unusable()
    {
        var node = NodeUse.Of("n", NodeLedger.Empty with { Cards = [Model("A", 0) with { Slots = 3 }] });

        Assert.Equal(400_000, Workload(new([new(new(1, 200, 0, 0), 1)])).Unusable(node));
    }

    [Fact]
    public void A_card_that_is_unhealthy_or_cordoned_counts_for_nothing()
    {
        var node = NodeUse.Of("n", NodeLedger.Empty with { Cards = [Model("A", 0) with { Healthy = false }, Model("A", 1)], Cordoned = ["A-1"] });

        Assert.Equal(0, Workload(new([new(new(8, 0, 100, 0), 1)])).Unusable(node));
    }

    [Fact]
    public void Cards_of_a_model_that_a_kind_may_not_use_are_unusable_for_it()
    {
        var mix = new WorkloadMix([new(new(1, 0, 100, 0, UseTypes: "B"), 1)]);

        Assert.Equal(Card, Workload(mix).Unusable(Node([1000], model: "A")));
        Assert.Equal(0, Workload(mix).Unusable(Node([1000], model: "B")));
    }

    [Fact]
    public void A_kind_that_may_use_few_of_the_clusters_cards_weighs_more()
    {
        // Both kinds come equally often; B is nine times as rare as A.
        var mix = new WorkloadMix([new(new(1, 0, 100, 0, UseTypes: "A"), 1), new(new(1, 0, 100, 0, UseTypes: "B"), 1)]);
        var workload = new Workload(mix, new Dictionary<string, int> { ["A"] = 90, ["B"] = 10 });

        Assert.Equal(Card * 3 / 4, workload.Unusable(Node([1000], model: "A")));
        Assert.Equal(Card / 4, workload.Unusable(Node([1000], model: "B")));
    }

    [Fact]
    public void Where_the_clusters_cards_are_not_known_all_kinds_weigh_as_they_come()
    {
        var mix = new WorkloadMix([new(new(1, 0, 100, 0, UseTypes: "A"), 3), new(new(1, 0, 100, 0, UseTypes: "B"), 1)]);

        Assert.Equal(Card / 4, new Workload(mix, new Dictionary<string, int>()).Unusable(Node([1000], model: "A")));
    }

    [Fact]
    public void A_kind_for_which_the_cluster_has_no_card_is_left_out()
    {
        var mix = new WorkloadMix([.. HalvesAndWholes.Kinds, new(new(1, 0, 100, 0, UseTypes: "H900"), 50)]);

        Assert.Equal(Workload(HalvesAndWholes).Unusable(Node([700])), Workload(mix).Unusable(Node([700])));
    }

    [Theory]
    [InlineData(0, 100, 50, 10, 1, "cards is 0, but it must be 1 to 1024")]
    [InlineData(1, -1, 50, 10, 1, "memoryMiB is -1, but it must be 0 (asked by percent) or more")]
    [InlineData(1, 0, 0, 10, 1, "memoryPercent is 0, but without memoryMiB it must be 1 to 100")]
    [InlineData(1, 0, 101, 10, 1, "memoryPercent is 101, but without memoryMiB it must be 1 to 100")]
    [InlineData(1, 100, 0, 101, 1, "cores is 101, but it must be 0 to 100")]
    [InlineData(1, 100, 0, 10, 0, "weight is 0, but it must be more than 0")]
    [InlineData(1, 100, 0, 10, double.NaN, "weight is NaN, but it must be more than 0")]
    [InlineData(1, 100, 0, 10, double.PositiveInfinity, "weight is Infinity, but it must be more than 0")]
    public void A_mix_that_is_wrong_says_where_and_how_to_mend_it(int cards, long memoryMiB, int percent, int cores, double weight, string because)
    {
        var mix = new WorkloadMix([HalvesAndWholes.Kinds[0], new(new(cards, memoryMiB, percent, cores), weight)]);

        Assert.Equal($"Kind 2 of the typical workload: {because}.", mix.Problem());
        Assert.Null(HalvesAndWholes.Problem());
        Assert.Null(WorkloadMix.Assumed.Problem());
        Assert.Equal("The typical workload has 0 kinds of pods; give it 1 to 1024.", new WorkloadMix([]).Problem());
    }

    [Fact]
    public void Nothing_can_be_said_of_a_workload_of_which_nothing_is_known() =>
        Assert.Equal(0, Workload(new([])).Unusable(Node([300, 700])));

    [Fact]
    public void What_is_unusable_is_never_below_zero_nor_more_than_what_is_free() =>
        Gen.Select(FragmentationGens.Mix, FragmentationGens.Node).Sample((mix, node) =>
        {
            var unusable = Workload(mix).Unusable(node);
            var free = 0d;
            for (var i = 0; i < node.Cards.Length; i++)
                free += (double)(node.Cards[i].MemoryMiB - node.Uses[i].MemoryMiB) / node.Cards[i].MemoryMiB;
            Assert.InRange(unusable, 0, (long)(free * Card) + 1);
        });

    [Fact]
    public void Which_of_the_cards_is_how_full_makes_no_difference() =>
        Gen.Select(FragmentationGens.Mix, Gen.Shuffle(new[] { 1000, 900, 650, 300, 300, 40 })).Sample((mix, free) =>
            Assert.Equal(Workload(mix).Unusable(Node([1000, 900, 650, 300, 300, 40])), Workload(mix).Unusable(Node(free))));

    [Fact]
    public void A_kind_can_use_one_card_exactly_when_placement_would_give_it_that_card() =>
        Gen.Select(FragmentationGens.Kind, FragmentationGens.Node).Sample((kind, node) =>
        {
            // Nothing but the cards decides, and of these only whether one more fits.
            var alone = kind with { Host = null };
            var ask = Asks.Pod("p", alone.Cards, alone.MemoryMiB, alone.MemoryPercent, alone.Cores, Wish(alone));
            var fits = NodeFit.TryFit(ask, node, Terms.Plain, [], new int[CardRefusals.Count]);
            var unusable = Workload(new([new(alone, 1)])).Unusable(node);

            Assert.Equal(fits, unusable < Workload(new([new(new(64, 0, 100, 0), 1)])).Unusable(node));
        });

    internal static Workload Workload(WorkloadMix mix) => new(mix, Supply);

    internal static CardWish Wish(WorkloadKind kind) => kind.UseTypes.Length == 0 ? CardWish.Any : new([kind.UseTypes], [], [], []);

    internal static NodeUse Node(int[] free, string model = "A", HostRoom? host = null) =>
        NodeUse.Of("n", NodeLedger.Empty with { Cards = [.. free.Select((_, i) => Model(model, i))] }, host)
            .With([.. free.Select((f, i) => new Share(i, "c", false, $"{model}-{i}", 1000 - f, 0)).Where(s => s.MemoryMiB > 0)]);

    private static Card Model(string model, int index) => Asks.Card($"{model}-{index}", model, memoryMiB: 1000, index: index);
}
