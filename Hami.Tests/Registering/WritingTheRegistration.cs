using System.Text.Json.Nodes;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Registering;

namespace Hami.Tests.Registering;

/// <summary>What is written on the node so that it says what it should.</summary>
[Trait("Scoreboard", "F01")]
public sealed class WritingTheRegistration
{
    [Fact]
    public void Case_9_what_stands_there_already_is_not_written_again()
    {
        var node = Written([], "[1]", "[2]");
        Assert.Null(RegisterPatch.Between(node, "[1]", "[2]"));
        Assert.Equal(3, node.Count);
    }

    [Theory]
    [InlineData(HamiKeys.NodeRegister)]
    [InlineData(HamiKeys.NodeScore)]
    [InlineData(HamiKeys.NodeAgent)]
    public void Case_10_what_was_taken_away_or_written_over_is_written_and_nothing_else(string key)
    {
        var whole = Written(new() { ["another"] = "stays" }, "[1]", "[2]");
        var less = new Dictionary<string, string>(whole);
        less.Remove(key);
        Assert.Equal([key], Keys(RegisterPatch.Between(less, "[1]", "[2]")!));
        Assert.Equal(whole, Written(less, "[1]", "[2]"));
        less[key] = "somebody else's";
        Assert.Equal([key], Keys(RegisterPatch.Between(less, "[1]", "[2]")!));
    }

    [Fact]
    public void A_node_that_lost_all_its_cards_says_so()
    {
        var node = Written([], "[1]", "[2]");
        Assert.Equal([HamiKeys.NodeAgent], Written(node, null, null).Keys);
        Assert.Null(RegisterPatch.Between(Written(node, null, null), null, null));
    }

    [Fact]
    public void A_node_without_annotations_gets_them_in_one_patch() =>
        Assert.Equal([HamiKeys.NodeRegister, HamiKeys.NodeScore, HamiKeys.NodeAgent], Keys(RegisterPatch.Between(null, "[1]", "[2]")!));

    private static IEnumerable<string> Keys(string patch) => JsonNode.Parse(patch)!["metadata"]!["annotations"]!.AsObject().Select(a => a.Key);

    private static Dictionary<string, string> Written(Dictionary<string, string> annotations, string? cards, string? scores)
    {
        var after = new Dictionary<string, string>(annotations);
        foreach (var (key, value) in JsonNode.Parse(RegisterPatch.Between(annotations, cards, scores) ?? """{"metadata":{"annotations":{}}}""")!["metadata"]!["annotations"]!.AsObject())
            if (value is null)
                after.Remove(key);
            else
                after[key] = value.GetValue<string>();
        return after;
    }
}
