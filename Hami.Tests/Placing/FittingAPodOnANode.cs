using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class FittingAPodOnANode
{
    [Theory]
    [Trait("Hami", "case 40")]
    [Trait("Hami", "case 41")]
    [Trait("Hami", "case 43")]
    [Trait("Hami", "case 44")]
    [Trait("Hami", "case 45")]
    [Trait("Scoreboard", "H05")]
    // one card of 128 MiB, 100 slots; used slots, memory, cores; asked memory, percent, cores → the reason
    [InlineData(0, 0, 0, 512, 0, 0, CardRefusal.CardInsufficientMemory)]
    [InlineData(1, 0, 100, 10, 0, 50, CardRefusal.CardInsufficientCore)]
    [InlineData(0, 0, 0, 10, 0, 100, CardRefusal.None)]
    [InlineData(20, 0, 0, 10, 0, 100, CardRefusal.ExclusiveDeviceAllocateConflict)]
    [InlineData(1, 0, 100, 10, 0, 0, CardRefusal.CardComputeUnitsExhausted)]
    [InlineData(100, 0, 0, 1, 0, 0, CardRefusal.CardTimeSlicingExhausted)]
    [InlineData(1, 124, 0, 0, 100, 0, CardRefusal.CardInsufficientMemory)]
    [InlineData(1, 64, 0, 0, 50, 0, CardRefusal.None)]
    public void A_card_refuses_with_the_first_reason_that_holds(
        int usedSlots, long usedMiB, int usedCores, long memoryMiB, int percent, int cores, CardRefusal expected)
    {
        var node = Node(Asks.Card("GPU-a", memoryMiB: 128, slots: 100));
        for (var i = 0; i < usedSlots; i++)
            node = node.With([new(0, "c", false, "GPU-a", i == 0 ? usedMiB : 0, i == 0 ? usedCores : 0)]);

        var (fits, _, counts) = Try(Asks.Pod("p", memoryMiB: memoryMiB, percent: percent, cores: cores), node);

        Assert.Equal(expected is CardRefusal.None, fits);
        Assert.Equal(expected is CardRefusal.None ? [] : [(expected, 1)], counts);
    }

    [Fact]
    [Trait("Hami", "case 47")]
    public void An_unhealthy_card_is_refused_before_all_else() =>
        Assert.Equal([(CardRefusal.CardNotHealth, 1)], Try(Asks.Pod("p", memoryMiB: 99999), Node(Asks.Card("GPU-a", healthy: false))).Counts);

    [Theory]
    [InlineData("GPU-b", "", CardRefusal.CardUuidMismatch)]
    [InlineData("", "GPU-a", CardRefusal.CardUuidMismatch)]
    [InlineData("GPU-a", "", CardRefusal.None)]
    public void Only_the_wanted_cards_are_used(string use, string avoid, CardRefusal expected)
    {
        var wish = new CardWish([], [], use.Length > 0 ? [use] : [], avoid.Length > 0 ? [avoid] : []);

        Assert.Equal(expected is CardRefusal.None, Try(Asks.Pod("p", wish: wish), Node(Asks.Card("GPU-a"))).Fits);
    }

    [Fact]
    [Trait("Scoreboard", "H05")]
    public void Two_cards_asked_but_one_named_says_how_many_cards_failed_for_what()
    {
        var eight = Node([.. Enumerable.Range(0, 8).Select(i => Asks.Card($"GPU-{i}", index: i))]);
        var ask = Asks.Pod("p", count: 2, wish: CardWish.Any with { UseUuids = ["GPU-3"] });
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        NodeFit.TryFit(ask, eight, Terms.Plain, [], refusals);

        Assert.Equal(
            "1/8 AllocatedCardsInsufficientRequest, 7/8 CardUuidMismatch "
            + "(1 of 8 cards: usable, but more are needed; 7 of 8 cards: UUID not allowed by the pod's annotations)",
            UnfitReasons.From(8, refusals).Text);
    }

    [Fact]
    public void More_cards_than_the_node_has_is_a_reason_of_the_node()
    {
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        NodeFit.TryFit(Asks.Pod("p", count: 3), Node(Asks.Card("GPU-a"), Asks.Card("GPU-b", index: 1)), Terms.Plain, [], refusals);

        Assert.Equal("NodeInsufficientDevice (more cards asked than the node has: 2)", UnfitReasons.From(2, refusals).Text);
    }

    [Fact]
    public void Several_cards_of_one_container_are_different_cards()
    {
        var (fits, shares, _) = Try(Asks.Pod("p", count: 2), Node(Asks.Card("GPU-a"), Asks.Card("GPU-b", index: 1)));

        Assert.True(fits);
        Assert.Equal(2, shares.Select(s => s.DeviceUuid).Distinct().Count());
    }

    [Theory]
    [Trait("Scoreboard", "C04")]
    [Trait("Scoreboard", "C05")]
    [InlineData("binpack", "GPU-busy")]
    [InlineData("spread", "GPU-idle")]
    public void Binpack_takes_the_fullest_card_and_spread_the_emptiest(string cards, string expected)
    {
        var node = Node(Asks.Card("GPU-idle"), Asks.Card("GPU-busy", index: 1)).With([new(0, "c", false, "GPU-busy", 5000, 20)]);

        Assert.Equal(expected, Assert.Single(Try(Asks.Pod("p", cards: cards), node).Shares).DeviceUuid);
    }

    [Fact]
    [Trait("Hami", "case 39")]
    public void Of_equal_cards_the_last_one_is_taken() =>
        Assert.Equal("GPU-b", Assert.Single(Try(Asks.Pod("p"), Node(Asks.Card("GPU-a"), Asks.Card("GPU-b", index: 1))).Shares).DeviceUuid);

    [Fact]
    public void Percent_of_memory_is_of_the_card_that_was_chosen() =>
        Assert.Equal(20480, Assert.Single(Try(Asks.Pod("p", memoryMiB: 0, percent: 50), Node(Asks.Card("GPU-a"))).Shares).MemoryMiB);

    [Fact]
    public void Init_containers_reuse_what_the_app_containers_will_take()
    {
        var node = Node(Asks.Card("GPU-a", memoryMiB: 10000));
        ContainerAsk Init(string name, long memoryMiB) => new(name, true, 1, memoryMiB, 0, 0);
        var ask = Asks.Pod("p", memoryMiB: 6000);
        ask = ask with { Containers = [Init("i1", 9000), Init("i2", 8000), .. ask.Containers] };

        var (fits, shares, _) = Try(ask, node);

        Assert.True(fits);
        Assert.Equal(new CardUse(1, 0, 9000), CardUse.Of(shares, "GPU-a"));
        Assert.False(Try(ask with { Containers = [Init("i1", 10001), .. ask.Containers] }, node).Fits);
    }

    [Fact]
    public void App_containers_add_up()
    {
        var node = Node(Asks.Card("GPU-a", memoryMiB: 10000));
        var ask = Asks.Pod("p", memoryMiB: 6000);

        Assert.False(Try(ask with { Containers = [.. ask.Containers, .. ask.Containers] }, node).Fits);
    }

    private static NodeUse Node(params Card[] cards) => NodeUse.Of("n1", NodeLedger.Empty with { Cards = cards });

    private static (bool Fits, List<Share> Shares, IReadOnlyList<(CardRefusal, int)> Counts) Try(PodAsk ask, NodeUse node)
    {
        var shares = new List<Share>();
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        var fits = NodeFit.TryFit(ask, node, Terms.Plain, shares, refusals);
        return (fits, shares, fits ? [] : UnfitReasons.From(node.Cards.Length, refusals).Counts);
    }
}
