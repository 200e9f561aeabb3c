using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Waking;
using Hami.Tests.Given;

namespace Hami.Tests.Releasing;

/// <summary>Room that is freed wakes as many as it serves.</summary>
public sealed class ChoosingWhomToWake
{
    private static readonly NodeUse OneCard = NodeUse.Of("n1", NodeLedger.Empty with { Cards = [Asks.Card("GPU-1", memoryMiB: 10000)] });

    [Fact]
    public void Of_two_hundred_equal_pods_a_freed_card_wakes_as_many_as_fit_and_the_first_come() =>
        Assert.Equal(["p0", "p1", "p2"], Woken(Pods(200, 3000)));

    [Fact]
    public void Room_is_kept_for_those_who_were_woken_before_and_are_not_back_yet() =>
        Assert.Equal(["p0"], Woken(Pods(200, 3000), coming: [Asks.Pod("c1", memoryMiB: 3000), Asks.Pod("c2", memoryMiB: 3000)]));

    [Fact]
    public void Those_that_do_not_fit_hold_up_nobody() =>
        Assert.Equal(["p1", "p3"], Woken([Asks.Pod("p0", memoryMiB: 11000), Asks.Pod("p1", memoryMiB: 6000), Asks.Pod("p2", memoryMiB: 6000), Asks.Pod("p3", memoryMiB: 4000)]));

    [Fact]
    public void A_quota_wakes_as_many_as_it_allows() =>
        Assert.Equal(["p0", "p1"], Woken(Pods(200, 1000), quota: new(2500, null)));

    [Fact]
    public void Never_more_at_once_than_said() =>
        Assert.Equal(["p0", "p1"], Woken(Pods(200, 1000), most: 2));

    private static PodAsk[] Pods(int count, long memoryMiB) => [.. Enumerable.Range(0, count).Select(i => Asks.Pod($"p{i}", memoryMiB: memoryMiB))];

    private static IEnumerable<string> Woken(PodAsk[] waiting, PodAsk[]? coming = null, QuotaRoom? quota = null, int most = 100) => ChooseWoken.Of(
        coming ?? [], waiting, [OneCard], _ => Terms.Plain with { Quota = quota ?? QuotaRoom.Unlimited }, most).Select(p => p.Uid);
}
