using System.Collections.Immutable;
using Hami.NodeAgent.Observing;

namespace Hami.Tests.Observing;

/// <summary>Which containers hold more than they were given, over time. Each row is a look every five seconds: percent of the limit, <c>?</c> where the driver does not say.</summary>
public sealed class FindingExcess
{
    [Theory]
    [InlineData("90 100 100 100 100 100", "......", "......")] // at its limit it is within it
    [InlineData("101 101 101 101 101 101 101", "...T..X", "...++++")] // told once; then every 15 s it may be ended
    [InlineData("101 101 99 101 101 99 101 101", "........", "........")] // gave back in time
    [InlineData("101 101 101 101 99 101 99 101 101 101 101 101", "...T......X.", "...+++++++++")] // to and fro is one story
    [InlineData("101 101 101 101 99 99 99 99 101 101 101 101", "...T.......T", "...++++....+")] // after it was within its limit for as long, another
    [InlineData("101 101 101 ? 101 101 101 101", ".......T", ".......+")] // what is not known is not held against anybody
    [InlineData("101 101 101 101 ? ? ? ? 99 99 99 99", "...T........", "...++++++++.")]
    [InlineData("101 101 - 101 101 - 101", ".......", ".......")] // the container ended
    public void Who_is_over_for_a_while_is_told_once(string looks, string told, string over)
    {
        var known = ImmutableDictionary<ShareName, Excess>.Empty;
        var (actualTold, actualOver) = ("", "");
        foreach (var (i, look) in looks.Split(' ').Index())
        {
            (known, var found) = ExcessWatch.Next(known, Moment(i, look));
            actualTold += found.SingleOrDefault() is { } excess ? excess.IsNew ? 'T' : 'X' : '.';
            actualOver += known.Any(k => k.Value.Told) ? '+' : '.';
        }
        Assert.Equal((told, over), (actualTold, actualOver));
    }

    [Fact]
    public void Who_has_no_limit_is_never_over_it()
    {
        var known = ImmutableDictionary<ShareName, Excess>.Empty;
        for (var i = 0; i < 9; i++)
            (known, _) = ExcessWatch.Next(known, Moment(i, "101", limit: 0));
        Assert.Empty(known);
    }

    [Fact]
    public void Every_card_of_a_container_is_judged_by_itself()
    {
        var known = ImmutableDictionary<ShareName, Excess>.Empty;
        ImmutableArray<ExcessFound> found = [];
        for (var i = 0; i < 4; i++)
            (known, found) = ExcessWatch.Next(known, Moment(i, "101") is var one ? one with { Shares = [one.Shares[0], one.Shares[0] with { DeviceUuid = "GPU-b", DriverBytes = 1 }] } : null!);
        Assert.Equal("GPU-a", Assert.Single(found).Share.DeviceUuid);
    }

    private static NodeMoment Moment(int look, string percent, long limit = 100) => new(
        DateTimeOffset.UnixEpoch.AddSeconds(5 * look), [],
        percent == "-" ? [] : [new("uid-a", "default", "a", "c0", 0, 0, "GPU-a", 1, limit, 0, 0, 1, percent == "?" ? null : long.Parse(percent), 0, null, 1)]);
}
