using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;

namespace Hami.Tests.Quotas;

public sealed class PlacingWithinAQuota
{
    [Theory]
    [Trait("Hami", "case 68")]
    [Trait("Scoreboard", "G03")]
    [InlineData(3000, 60, "1/4 AllocatedCardsInsufficientRequest, 3/4 ResourceQuotaNotFit")]
    [InlineData(2000, 100, null)]
    public void Every_card_of_a_container_counts(long memoryMiB, int cores, string? because) => AssertPlaced(
        QuotaGiven.Cards(8000, 8000, 8000, 8000).With(new NamespaceQuota("q", 4000, 200)),
        Asks.Pod("p", count: 2, memoryMiB: memoryMiB, cores: cores), because);

    [Theory]
    [Trait("Hami", "case 69")]
    [Trait("Scoreboard", "G02")]
    [InlineData(2000, null)]
    [InlineData(1500, "4/4 ResourceQuotaNotFit")]
    public void A_percentage_counts_as_what_it_is_of_the_card(long quotaMiB, string? because)
    {
        var cluster = QuotaGiven.Cards(2000, 8000, 4000, 6000).With(new NamespaceQuota("q", quotaMiB, null));

        var placed = AssertPlaced(cluster, Asks.Pod("p", memoryMiB: 0, percent: 100), because);

        Assert.Equal(because is null ? 2000 : 0, placed.Used().MemoryMiB);
    }

    [Fact]
    [Trait("Scoreboard", "G04")]
    public void A_quota_of_nothing_lets_nothing_be_placed() => AssertPlaced(
        QuotaGiven.Cards(8000).With(new NamespaceQuota("q", 0, null)), Asks.Pod("p", memoryMiB: 0, percent: 10), "1/1 ResourceQuotaNotFit");

    [Theory]
    [Trait("Hami", "case 71")]
    [Trait("Scoreboard", "A23")]
    [Trait("Scoreboard", "A24")]
    // shares as kind:card:MiB/cores → MiB, cores and slots of card a, MiB of all cards
    [InlineData("i:a:500/50 a:a:100/10", 500, 50, 1, 500)]
    [InlineData("a:a:100/0 a:a:200/0", 300, 0, 2, 300)]
    [InlineData("i:a:100/0 i:a:300/0 i:a:200/0 a:a:50/0", 300, 0, 1, 300)]
    [InlineData("i:a:100/0 a:b:200/0", 100, 0, 1, 300)]
    [InlineData("i:a:500/10 a:a:100/50", 500, 50, 1, 500)]
    [InlineData("s:a:300/0 a:a:200/0", 500, 0, 2, 500)]
    [InlineData("s:a:300/0 i:a:400/0 a:a:200/0", 700, 0, 2, 700)]
    [InlineData("i:a:400/0 s:a:300/0 a:a:50/0", 400, 0, 2, 400)]
    public void A_pod_takes_the_largest_of_its_moments_on_each_card(string text, long memoryMiB, int cores, int slots, long allMiB)
    {
        var shares = Shares(text);

        var use = CardUse.Of(shares, "a");

        Assert.Equal((memoryMiB, cores, slots), (use.MemoryMiB, use.Cores, use.Slots));
        Assert.Equal(allMiB, CardUse.Sum(shares).MemoryMiB);
    }

    [Fact]
    [Trait("Hami", "case 71")]
    public void When_the_init_containers_have_ended_the_others_alone_hold_something()
    {
        var allocation = new Allocation(
            Guid.Empty, "u", "default", "p", 3, Shares("i:a:900/90 s:a:300/0 a:b:200/20"), AllocationPhase.Attached, InitsEnded: true);

        Assert.Equal(new QuotaUse(500, 20), allocation.Use);
        Assert.Equal(300, CardUse.Of(allocation.Held, "a").MemoryMiB);
    }

    private static ClusterLedger AssertPlaced(ClusterLedger cluster, PodAsk ask, string? because)
    {
        var verdict = PlaceAllocationDecider.Decide(Asks.Place(ask, "n1"), cluster);

        if (because is null)
            Assert.Null(verdict.Refusal);
        else
            Assert.StartsWith(because + " (", verdict.Refusal?.Sentence, StringComparison.Ordinal);
        return cluster.After("n1", verdict);
    }

    private static List<Share> Shares(string text) =>
        [.. text.Split(' ').Select((s, i) =>
        {
            var parts = s.Split(':', '/');
            return new Share(i, $"c{i}", parts[0] == "i", parts[1], long.Parse(parts[2], null), int.Parse(parts[3], null));
        })];
}
