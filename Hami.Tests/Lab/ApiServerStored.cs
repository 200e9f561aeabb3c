using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;

namespace Hami.Tests.Lab;

/// <summary>A version's text and its tree, which is kept for the next write, say the same.</summary>
public sealed class ApiServerStored
{
    [Fact]
    public void The_tree_that_is_kept_says_what_the_text_says()
    {
        using var store = new ObjectStore(path: null, historyWindow: 100, TimeProvider.System);
        var first = store.TryWrite(Resources.Pods, Pod("1"), expected: null, dryRun: false)!;
        var second = store.TryWrite(Resources.Pods, Pod("2"), first, dryRun: false)!;

        foreach (var version in (Stored[])[first, second])
        {
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(version.Utf8.Span), version.Body), version.Body.ToJsonString());
            Assert.Equal($"{version.Revision}", version.Body["metadata"]!["resourceVersion"]!.ToString());
        }
        Assert.True(second.Revision > first.Revision);
    }

    private static JsonObject Pod(string annotation) => JsonNode.Parse(
        $$$"""{"spec":{"containers":[{"name":"c","resources":{}}],"priority":5},"metadata":{"namespace":"default","name":"p","annotations":{"a":"{{{annotation}}}"}},"status":{"phase":"Pending"}}""")!.AsObject();
}
