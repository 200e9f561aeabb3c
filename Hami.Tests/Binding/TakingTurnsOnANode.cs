using Hami.Domain.Binding;

namespace Hami.Tests.Binding;

/// <summary>HAMi's lock on a node, decided from what stands there.</summary>
public sealed class TakingTurnsOnANode
{
    private static readonly DateTimeOffset Now = new(2026, 8, 1, 6, 10, 0, TimeSpan.Zero);
    private static readonly TimeSpan Expiry = TimeSpan.FromMinutes(5);

    [Theory]
    [Trait("Hami", "case 78")]
    [Trait("Scoreboard", "F05")]
    [InlineData("nothing", null, null, NodeLockStep.Take)]
    [InlineData("one's own", "2026-08-01T06:09:00Z,default,p", null, NodeLockStep.Own)]
    [InlineData("one's own, but old", "2026-08-01T06:04:59Z,default,p", null, NodeLockStep.Take)]
    [InlineData("another's", "2026-08-01T06:09:00Z,default,q", null, NodeLockStep.AskForHolder)]
    [InlineData("another's that lives", "2026-08-01T06:09:00Z,default,q", true, NodeLockStep.Wait)]
    [InlineData("another's that is gone", "2026-08-01T06:09:00Z,default,q", false, NodeLockStep.Take)]
    [InlineData("a pod of that name elsewhere", "2026-08-01T06:09:00Z,other,p", true, NodeLockStep.Wait)]
    [InlineData("expired", "2026-08-01T06:04:59Z,default,q", null, NodeLockStep.Take)]
    [InlineData("expired, local time", "2026-08-01T14:04:59+08:00,default,q", null, NodeLockStep.Take)]
    [InlineData("just not expired", "2026-08-01T06:05:00Z,default,q", true, NodeLockStep.Wait)]
    [InlineData("a bare time", "2026-08-01T06:09:00Z", null, NodeLockStep.Wait)]
    [InlineData("a bare time, expired", "2026-08-01T06:04:00Z", null, NodeLockStep.Take)]
    [InlineData("unreadable", "lock", null, NodeLockStep.Wait)]
    [InlineData("two parts", "2026-08-01T06:09:00Z,default", null, NodeLockStep.Wait)]
    [InlineData("nobody's", "2026-08-01T06:09:00Z,,", null, NodeLockStep.Wait)]
    public void What_stands_there_says_what_to_do(string what, string? text, bool? holderExists, NodeLockStep step) =>
        Assert.True(step == Decide(text, holderExists), what);

    [Theory]
    [InlineData("lock")]
    [InlineData("2027-01-01T00:00:00Z,default,q")]
    [InlineData("2027-01-01T00:00:00Z")]
    public void A_text_without_a_usable_time_counts_from_when_it_was_first_seen(string text)
    {
        Assert.NotEqual(NodeLockStep.Take, Decide(text, true, unchangedFor: Expiry));
        Assert.Equal(NodeLockStep.Take, Decide(text, true, unchangedFor: Expiry + TimeSpan.FromSeconds(1)));
    }

    [Fact]
    [Trait("Scoreboard", "F08")]
    public void Another_expiry_gives_another_answer()
    {
        const string text = "2026-08-01T06:08:00Z,default,q";
        Assert.Equal(NodeLockStep.Wait, Decide(text, true));
        Assert.Equal(NodeLockStep.Take, Decide(text, true, expiry: TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void It_is_written_as_HAMi_writes_it()
    {
        var mine = new NodeLock(new(2026, 8, 1, 14, 0, 1, 500, TimeSpan.FromHours(8)), "default", "p");
        Assert.Equal("2026-08-01T06:00:01Z,default,p", mine.Encode());
        Assert.Equal(NodeLockStep.Own, Decide(new NodeLock(Now, "default", "p").Encode(), null));
    }

    [Theory]
    [Trait("Hami", "case 79")]
    [InlineData("2026-08-01T06:00:00Z,default,p", true)]
    [InlineData("2026-08-01T06:09:59Z,default,p", true)]
    [InlineData("2026-08-01T06:00:00Z,default,q", false)]
    [InlineData("2026-08-01T06:00:00Z", true)]
    [InlineData("lock", false)]
    public void A_failed_bind_takes_away_its_own_and_what_names_nobody(string text, bool may) =>
        Assert.Equal(may, NodeLock.MayClear(text, "default", "p"));

    private static NodeLockStep Decide(string? text, bool? holderExists, TimeSpan? unchangedFor = null, TimeSpan? expiry = null) =>
        NodeLockDecider.Decide(text, "default", "p", Now, unchangedFor ?? TimeSpan.Zero, holderExists, expiry ?? Expiry);
}
