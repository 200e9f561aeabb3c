using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;
using static Hami.Tests.Given.Asks;

namespace Hami.Tests.Replaying;

/// <summary>Who held a card, and what another policy would have made of the same pods.</summary>
public sealed class AskingTheLog
{
    // Minute 0 the node, 1 a is placed, 2 b, 3 a's init container ends, 4 a ends, 5 c is placed.
    private static Told OneCard => new Told().Node("n1", Card("GPU-1"))
        .Asks(Pod("a") with { Containers = [new("prepare", true, 1, 8000, 0, 10), new("main", false, 1, 3000, 0, 20)] })
        .Asks(Pod("b", memoryMiB: 1000)).Shrunk("a").Ends("a").Asks(Pod("c", memoryMiB: 500));

    [Theory]
    [InlineData(0, 9, "a 8000 1-3 Shrunk, b 1000 2-, a 3000 3-4 Completed, c 500 5-")]
    [InlineData(0, 1, "a 8000 1-3 Shrunk")]
    [InlineData(4, 4, "b 1000 2-, a 3000 3-4 Completed")]
    [InlineData(5, 9, "b 1000 2-, c 500 5-")]
    [InlineData(0, 0, "")]
    [Trait("Scoreboard", "H06")]
    public void Who_held_a_card_when_and_how_much(int from, int to, string held)
    {
        var holdings = WhoHeld.Of(OneCard.Log, "GPU-1", Told.Minute(from), Told.Minute(to));

        Assert.Equal(held, string.Join(", ", holdings.Select(h => $"{h.Pod} {h.MemoryMiB} {Minute(h.From)}-{(h.Until is { } u ? $"{Minute(u)} {h.Ended}" : "")}")));
    }

    [Fact]
    public void Nobody_held_a_card_that_is_not_there() => Assert.Empty(WhoHeld.Of(OneCard.Log, "GPU-2", Told.Noon, Told.Minute(9)));

    [Fact]
    [Trait("Scoreboard", "H08")]
    public void Small_pods_packed_leave_a_card_for_one_that_wants_it_whole()
    {
        // Spread put the two on two cards; the third wanted one alone and waited until the second had ended.
        var told = new Told().Node("n1", Card("GPU-1"), Card("GPU-2", index: 1)).Asks(Pod("a")).Asks(Pod("b")).Asks(Pod("whole", cores: 100)).Ends("b").Asks(Pod("whole", cores: 100));

        var report = WhatIf.Of(ClusterLedger.Empty, told.Log, new(NodePolicy.Binpack, CardPolicy.Binpack), Told.Noon, Told.Minute(10));

        Assert.Equal(new PolicyOutcome("as it was", 3, 1, 0, 40, 120, 3.53, 54.55), report.Recorded with { AllocatedMemoryPercent = 3.53, AllocatedCoresPercent = 54.55 });
        Assert.Equal((3, 1, 0, 20.0, 60.0), Of(report.SameRules));
        Assert.Equal((3, 0, 0, 0.0, 0.0), Of(report.OtherPolicy));
        Assert.True(report.OtherPolicy.AllocatedCoresPercent > report.Recorded.AllocatedCoresPercent);
        Assert.Contains("approximation", report.Approximates, StringComparison.Ordinal);

        static (int, int, int, double, double) Of(PolicyOutcome o) => (o.Arrivals, o.Refused, o.NeverPlaced, o.MeanWaitSeconds, o.LongestWaitSeconds);
    }

    [Fact]
    public void What_was_held_at_the_begin_is_given_back_when_it_really_was()
    {
        var before = new Told().Node("n1", Card("GPU-1", memoryMiB: 10_000)).Asks(Pod("old", memoryMiB: 8000));
        var start = before.Cluster;
        before.Asks(Pod("new", memoryMiB: 5000)).Ends("old").Asks(Pod("new", memoryMiB: 5000));

        var report = WhatIf.Of(start, [.. before.Log.Skip(2)], new(NodePolicy.Binpack, CardPolicy.Spread), Told.Minute(1), Told.Minute(10));

        Assert.Equal((1, 1, 0, 60.0), (report.OtherPolicy.Arrivals, report.OtherPolicy.Refused, report.OtherPolicy.NeverPlaced, report.OtherPolicy.LongestWaitSeconds));
        Assert.Equal(120, report.Recorded.LongestWaitSeconds);
    }

    private static int Minute(DateTimeOffset at) => (int)(at - Told.Noon).TotalMinutes;
}
