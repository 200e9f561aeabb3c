using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hami.Tests.Given;
using k8s.Models;

namespace Hami.Tests.Archiving;

/// <summary>History is archived while the control plane serves; it goes on, tells where its history begins, and starts again from there.</summary>
public sealed class ArchivingUnderARunningControlPlane
{
    [Fact]
    public async Task It_goes_on_tells_its_horizon_and_starts_again_from_it()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1);
        Assert.Null((await scene.QueryAsync("{ horizon { position } }"))["horizon"]);
        await PlacedAsync(scene, "ended");
        await PlacedAsync(scene, "stays");
        await scene.DeletePodAsync("ended");
        await ControlPlaneScene.UntilAsync(async () => (await scene.ColumnAsync("select type from hami.mt_events where type = 'allocation_released'")).Count == 1, () => scene.Log);
        // Whatever is the last commit stays: another, so that the end of the pod is not in it.
        await PlacedAsync(scene, "later");
        var folder = Directory.CreateTempSubdirectory("hami-archive-");
        try
        {
            // The read models may be a moment behind.
            var (code, output) = (1, "");
            await ControlPlaneScene.UntilAsync(async () => ((code, output) = await CallAsync(scene, "archive", "--before", "0s", "--to", folder.FullName)).code == 0, () => output);

            var asked = await scene.QueryAsync("{ horizon { position at file } allocations { items { pod } } usage { items { namespace gpuHours } } }");
            Assert.Equal(Path.GetFileName(Assert.Single(folder.EnumerateFiles("*.gz")).Name), asked["horizon"]!["file"]!.GetValue<string>());
            Assert.Equal(["later", "stays"], asked["allocations"]!["items"]!.AsArray().Select(a => a!["pod"]!.GetValue<string>()).Order(StringComparer.Ordinal));
            Assert.Single(asked["usage"]!["items"]!.AsArray());
            foreach (var query in (string[])
                     [
                         "clusterAt(time: AT) { position }", "nodes(at: AT) { totalCount }", "devices(at: AT) { totalCount }", "pendingPods(at: AT) { totalCount }", "quotas(at: AT) { totalCount }",
                         "policy(at: AT) { version }", "allocations(at: AT) { totalCount }", "cluster(at: AT) { nodes }", "compare(from: AT) { stayed }",
                     ])
            {
                var refused = await scene.PostAsync("graphql", new JsonObject { ["query"] = $"{{ {query.Replace("AT", "\"2020-01-01T00:00:00Z\"", StringComparison.Ordinal)} }}" });
                Assert.Contains("is before the horizon of the log", refused["errors"]![0]!["message"]!.GetValue<string>(), StringComparison.Ordinal);
                Assert.Equal("ARCHIVED", refused["errors"]![0]!["extensions"]!["code"]!.GetValue<string>());
            }
            Assert.Equal("Holding", (await scene.QueryAsync("{ explain(pod: \"default/stays\") { standing } }"))["explain"]!["standing"]!.GetValue<string>(), ignoreCase: true);

            Assert.Contains("Last-Event-ID 1 is before the horizon of the log", await ResumedAfterAsync(scene, "1"), StringComparison.Ordinal);

            await PlacedAsync(scene, "after");
            await scene.AssertBooksAgreeAsync();
            await scene.KillApiAsync();
            await scene.StartApiAsync();
            await PlacedAsync(scene, "again");
            await scene.AssertBooksAgreeAsync();
            foreach (var verb in (string[][])[["audit", "verify"], ["audit", "verify", "--archive", folder.FullName], ["archive", "--restore", folder.FullName], ["audit", "verify"]])
                await ControlPlaneScene.UntilAsync(async () => ((code, output) = await CallAsync(scene, verb)).code == 0, () => output);
            await PlacedAsync(scene, "at last");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What a subscription is told first that goes on after an event.</summary>
    private static async Task<string> ResumedAfterAsync(ControlPlaneScene scene, string id)
    {
        using var http = new HttpClient { DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(scene.Address, "graphql/stream"))
        {
            Content = JsonContent.Create(new { query = "subscription { allocationChanged { position } }" }), Headers = { Accept = { new("text/event-stream") } },
        };
        request.Headers.TryAddWithoutValidation("Last-Event-ID", id);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(patience.Token));
        while (await lines.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.Contains("errors", StringComparison.Ordinal) || line.Contains("position", StringComparison.Ordinal))
                return line;
        }
        return "";
    }

    private static async Task PlacedAsync(ControlPlaneScene scene, string name)
    {
        var pod = await scene.CreatePodAsync(name.Replace(' ', '-'));
        await scene.FilterAsync(pod.Name(), "n1");
        Assert.Equal("", (await scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
    }

    private static async Task<(int Code, string Output)> CallAsync(ControlPlaneScene scene, params string[] verb)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await Hami.Api.CommandLine.Create().Parse([.. verb, "--postgres", scene.ConnectionString]).InvokeAsync(new() { Output = output, Error = error });
        return (code, output + error.ToString());
    }
}
