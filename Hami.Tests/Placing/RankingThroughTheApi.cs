using System.Text.Json.Nodes;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>With <c>--extender-mode score</c> kube-scheduler's own preferences count too.</summary>
public sealed class RankingThroughTheApi
{
    [Fact]
    public async Task All_that_fit_are_answered_and_ranked_the_best_is_reserved_and_a_bind_elsewhere_works()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 3, cards: 1, flags: ["--extender-mode", "score"]);
        foreach (var (pod, node, memoryMiB) in new[] { ("full", "n1", 9500), ("half", "n2", 5000) })
        {
            var created = await scene.CreatePodAsync(pod, memoryMiB: memoryMiB);
            await scene.FilterAsync(pod, node);
            Assert.Equal("", (await scene.BindAsync(created, node))["Error"]!.GetValue<string>());
        }
        var p1 = await scene.CreatePodAsync("p1", memoryMiB: 3000);

        var answer = await scene.FilterAsync("p1", "n3", "n1", "n2");
        Assert.Equal(["n3", "n2"], answer["NodeNames"]!.AsArray().Select(n => n!.GetValue<string>()));
        Assert.Equal("n2 10, n3 1, n1 0", await RanksAsync(scene, "p1"));

        // n2's room is set aside for p1, who goes to n3 all the same.
        await scene.CreatePodAsync("p2", memoryMiB: 3000);
        Assert.Equal(["n3"], (await scene.FilterAsync("p2", "n1", "n2", "n3"))["NodeNames"]!.AsArray().Select(n => n!.GetValue<string>()));
        Assert.Equal("", (await scene.BindAsync(p1, "n3"))["Error"]!.GetValue<string>());
        Assert.Equal("n3", (await scene.FindPodAsync("p1"))!.Spec.NodeName);
        Assert.Contains("n2", (await scene.FilterAsync("p2", "n1", "n2", "n3"))["NodeNames"]!.AsArray().Select(n => n!.GetValue<string>()));
        using var http = new HttpClient();
        Assert.Contains("hami_score_mode_conflicts_total 1\n", await http.GetStringAsync(scene.Metrics), StringComparison.Ordinal);
        await scene.AssertBooksAgreeAsync();
    }

    private static async Task<string> RanksAsync(ControlPlaneScene scene, string pod)
    {
        var (status, body) = await scene.PostRawAsync("prioritize", (await scene.FilterArgumentsAsync(pod, "n1", "n2", "n3")).ToJsonString());
        Assert.Equal(200, status);
        return string.Join(", ", JsonNode.Parse(body)!.AsArray()
            .OrderByDescending(r => r!["Score"]!.GetValue<int>()).Select(r => $"{r!["Host"]!.GetValue<string>()} {r["Score"]!.GetValue<int>()}"));
    }
}
