using Hami.Domain.Ledger;
using Hami.Domain.Quotas;
using Hami.Tests.Given;

namespace Hami.Tests.Quotas;

public sealed class ObservingQuotas
{
    private static readonly NamespaceQuota Wide = new("wide", 4000, 300);
    private static readonly NamespaceQuota Tight = new("tight", 2000, null);

    [Fact]
    [Trait("Hami", "case 28")]
    public void An_update_replaces_all_of_the_quota_in_one_event_and_keeps_what_is_used()
    {
        var before = QuotaGiven.Cards(8000).With(new NamespaceQuota("q", 2000, 200)).Placing(Asks.Pod("p", memoryMiB: 1000, cores: 20));

        var verdict = ObserveQuotaDecider.Decide(new ObserveQuota("default", "q", new("q", 3000, null)), before);
        var after = before.After(verdict);

        Assert.Single(verdict.Events);
        Assert.Equal(new QuotaRoom(2000, null), after.RoomOf("default"));
        Assert.Equal(before.Used(), after.Used());
    }

    [Fact]
    public void All_quotas_of_a_namespace_hold_at_once()
    {
        var both = ClusterLedger.Empty.With(Wide, Tight);

        Assert.Equal(new QuotaRoom(2000, 300), both.RoomOf("default"));
        Assert.True(both.RoomOf("elsewhere").IsUnlimited);
    }

    [Fact]
    [Trait("Hami", "case 29")]
    public void A_quota_that_is_deleted_takes_its_own_limits_with_it_and_no_others()
    {
        var both = ClusterLedger.Empty.With(Wide, Tight);

        var others = both.After(ObserveQuotaDecider.Decide(new ObserveQuota("default", "requests-only", null), both));
        var wide = both.After(ObserveQuotaDecider.Decide(new ObserveQuota("default", "tight", null), both));
        var none = wide.After(ObserveQuotaDecider.Decide(new ObserveQuota("default", "wide", null), wide));

        Assert.Same(both, others);
        Assert.Equal(new QuotaRoom(4000, 300), wide.RoomOf("default"));
        Assert.True(none.RoomOf("default").IsUnlimited);
        Assert.Empty(none.Quotas);
    }

    [Fact]
    public void What_is_known_already_is_no_event_whatever_its_order()
    {
        var both = ClusterLedger.Empty.With(Wide, Tight);

        Assert.Empty(ObserveQuotaDecider.Decide(new ObserveQuotas("default", [Tight, Wide]), both).Events);
        Assert.Empty(ObserveQuotaDecider.Decide(new ObserveQuotas("default", [Wide, Tight]), both).Events);
        Assert.Empty(ObserveQuotaDecider.Decide(new ObserveQuota("default", "wide", Wide), both).Events);
        Assert.Empty(ObserveQuotaDecider.Decide(new ObserveQuotas("elsewhere", []), both).Events);
        Assert.Single(ObserveQuotaDecider.Decide(new ObserveQuotas("default", [Wide]), both).Events);
    }
}
