using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Domain.Registering;

namespace Hami.Tests.Registering;

public sealed class ReadingTheRegisterAnnotation
{
    private const string Two =
        """[{"id":"GPU-aaa","count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100-SXM4-40GB","mode":"hami-core","health":true},{"id":"GPU-bbb","index":1,"count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100-SXM4-40GB","numa":1,"mode":"hami-core","health":true}]""";

    [Fact]
    [Trait("Hami", "case 33")]
    public void What_the_agent_writes_reads_back_the_same() => Assert.Equal(Two, NodeRegister.Encode(NodeRegister.Decode(Two)));

    [Theory]
    [Trait("Hami", "case 33")]
    [InlineData("not json", "not a JSON array")]
    [InlineData("{}", "not a JSON array")]
    [InlineData("null", "lists no device")]
    [InlineData("[]", "lists no device")]
    [InlineData("[null]", "without an \"id\"")]
    [InlineData("""[{"count":1}]""", "without an \"id\"")]
    [InlineData("""[{"id":"GPU-a","devmem":-1}]""", "negative")]
    [InlineData("""[{"id":"GPU-a","devmem":99999999999999999999}]""", "not a JSON array")]
    [InlineData("""[{"id":"GPU-a"},{"id":"GPU-a"}]""", "twice")]
    [InlineData("""[{"id":"GPU-a","devmem":9223372036854775807}]""", "no card has")]
    [InlineData("""[{"id":"GPU-a","devcore":2147483647}]""", "no card has")]
    [InlineData("""[{"id":"GPU-a","count":2147483647}]""", "no card has")]
    [InlineData("""[{"id":"GPU-\u0000"}]""", "NUL")]
    [InlineData("""[{"id":"GPU-a","type":"\u0000"}]""", "NUL")]
    [InlineData("""[{"id":"GPU-a","migProfiles":[{"name":"1g","memoryMB":9223372036854775807}]}]""", "no instance has")]
    public void An_annotation_that_cannot_be_used_says_why(string text, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => NodeRegister.Decode(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_null_is_as_good_as_a_missing_member() =>
        Assert.Equal([new PublishedDevice { Id = "GPU-a" }], NodeRegister.Decode("""[{"id":"GPU-a","type":null,"mode":null,"migProfiles":null}]"""));

    [Fact]
    public void More_cards_than_a_node_has_are_refused() => Assert.Contains(
        "1025 devices", Assert.Throws<FormatException>(() => NodeRegister.Decode($"[{string.Join(',', Enumerable.Repeat("{}", 1025))}]")).Message, StringComparison.Ordinal);

    [Theory]
    [Trait("Hami", "case 33")]
    [InlineData("""[{"uuid":"GPU-a","score":{"\u0000":1}}]""", "NUL")]
    [InlineData("not json", "not a JSON array")]
    [InlineData("[{}]", "without a \"uuid\"")]
    [InlineData("[null]", "without a \"uuid\"")]
    [InlineData("null", "without a \"uuid\"")]
    [InlineData("""[{"uuid":"GPU-a","score":{"GPU-b":"far"}}]""", "not a JSON array")]
    public void Pair_scores_that_cannot_be_used_say_why(string text, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => NodeScores.Decode(text)).Message, StringComparison.Ordinal);

    [Fact]
    [Trait("Hami", "case 36")]
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
    [Trait("Hami", "case 36")]
    public void A_card_that_turned_unhealthy_is_news()
    {
        var devices = NodeRegister.Decode(Two);
        var node = RegisterDevicesDecider.Decide(new("n1", devices, []), NodeLedger.Empty).Events.Aggregate(NodeLedger.Empty, NodeLedger.Evolve);

        var news = RegisterDevicesDecider.Decide(new("n1", [devices[0] with { Health = false }, devices[1]], []), node);

        Assert.Single(news.Events);
    }

    [Fact]
    [Trait("Hami", "case 37")]
    public void A_node_that_was_deleted_and_comes_back_has_its_cards_again()
    {
        var devices = NodeRegister.Decode(Two);
        var node = Register(devices, NodeLedger.Empty);
        node = RemoveNodeDecider.Decide(new("n1", "the node left the cluster"), node).Events.Aggregate(node, NodeLedger.Evolve);
        Assert.Empty(node.Cards);

        Assert.Equal(["GPU-aaa", "GPU-bbb"], Register(devices, node).Cards.Select(c => c.Uuid));
    }

    [Fact]
    [Trait("Hami", "case 38")]
    public void A_node_is_withdrawn_once_and_one_without_cards_never()
    {
        var node = Register(NodeRegister.Decode(Two), NodeLedger.Empty);
        var withdrawn = RemoveNodeDecider.Decide(new("n1", "its agent publishes no cards any more"), node);

        Assert.IsType<NodeEvent.NodeRemoved>(Assert.Single(withdrawn.Events));
        Assert.Empty(RemoveNodeDecider.Decide(new("n1", "again"), withdrawn.Events.Aggregate(node, NodeLedger.Evolve)).Events);
        Assert.Empty(RemoveNodeDecider.Decide(new("n1", "nothing there"), NodeLedger.Empty).Events);
    }

    private static NodeLedger Register(IReadOnlyList<PublishedDevice> devices, NodeLedger node) =>
        RegisterDevicesDecider.Decide(new("n1", devices, []), node).Events.Aggregate(node, NodeLedger.Evolve);
}
