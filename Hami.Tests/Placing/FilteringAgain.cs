using System.Text.Json.Nodes;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>kube-scheduler asks again after whatever went wrong between filter and bind.</summary>
public sealed class FilteringAgain
{
    [Fact]
    public async Task What_a_pod_has_reserved_itself_does_not_stand_in_its_way()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 2, cards: 1);
        await scene.CreatePodAsync("p", memoryMiB: 9000);
        await scene.CreatePodAsync("q", memoryMiB: 9000);

        for (var tries = 0; tries < 3; tries++)
            Assert.Equal(["n1"], Names(await scene.FilterAsync("p", "n1")));
        Assert.Equal(["n2"], Names(await scene.FilterAsync("q", "n1", "n2")));
        Assert.Equal(["n2"], Names(await scene.FilterAsync("q", "n1", "n2")));
    }

    [Fact]
    public async Task Oddities_deep_in_a_question_are_answered_in_its_shape()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1);
        await scene.CreatePodAsync("p", memoryMiB: 9000);
        var arguments = await scene.FilterArgumentsAsync("p", "n1");
        arguments["NodeNames"] = null;
        arguments["Nodes"] = JsonNode.Parse("""{"items":[{"metadata":5},{"metadata":{"name":"planned","annotations":7}}]}""");

        var simulated = await scene.PostAsync("filter", arguments);
        var (status, halfCharacter) = await scene.PostRawAsync("filter", """{"NodeNames":["\ud800"]}""");

        Assert.Equal("node unregistered", simulated["FailedNodes"]!["planned"]!.GetValue<string>());
        Assert.Equal(200, status);
        Assert.Contains("no Unicode text", JsonNode.Parse(halfCharacter)!["Error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    private static IEnumerable<string> Names(JsonObject answer) => (answer["NodeNames"]?.AsArray() ?? []).Select(n => n!.GetValue<string>());
}
