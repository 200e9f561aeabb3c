using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Domain.Registering;

namespace Hami.Tests.Registering;

public sealed class ReadingTheRegisterAnnotation
{
    private const string Two =
        """[{"id":"GPU-aaa","count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100-SXM4-40GB","mode":"hami-core","health":true},{"id":"GPU-bbb","index":1,"count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100-SXM4-40GB","numa":1,"mode":"hami-core","health":true}]""";

    [Fact]
    public void What_the_agent_writes_reads_back_the_same() => Assert.Equal(Two, NodeRegister.Encode(NodeRegister.Decode(Two)));

    [Theory]
    [InlineData("not json", "not a JSON array")]
    [InlineData("{}", "not a JSON array")]
    [InlineData("null", "lists no device")]
    [InlineData("[]", "lists no device")]
    [InlineData("[null]", "without an \"id\"")]
    [InlineData("""[{"count":1}]""", "without an \"id\"")]
    [InlineData("""[{"id":"GPU-a","devmem":-1}]""", "negative")]
    [InlineData("""[{"id":"GPU-a","devmem":99999999999999999999}]""", "not a JSON array")]
    [InlineData("""[{"id":"GPU-a"},{"id":"GPU-a"}]""", "twice")]
    public void An_annotation_that_cannot_be_used_says_why(string text, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => NodeRegister.Decode(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void The_same_cards_in_another_order_are_no_news()
    {
        var devices = NodeRegister.Decode(Two);
        var first = RegisterDevicesDecider.Decide(new("n1", devices, []), NodeLedger.Empty);
        var node = first.Events.Aggregate(NodeLedger.Empty, NodeLedger.Evolve);

        var again = RegisterDevicesDecider.Decide(new("n1", [.. devices.Reverse()], []), node);

        Assert.Single(first.Events);
        Assert.Empty(again.Events);
    }

    [Fact]
    public void A_card_that_turned_unhealthy_is_news()
    {
        var devices = NodeRegister.Decode(Two);
        var node = RegisterDevicesDecider.Decide(new("n1", devices, []), NodeLedger.Empty).Events.Aggregate(NodeLedger.Empty, NodeLedger.Evolve);

        var news = RegisterDevicesDecider.Decide(new("n1", [devices[0] with { Health = false }, devices[1]], []), node);

        Assert.Single(news.Events);
    }
}
