using System.Text.RegularExpressions;
using Hami.Api.Plumbing;
using Hami.Tests.Given;

namespace Hami.Tests.Measuring;

/// <summary>The metrics listener of a running control plane.</summary>
public sealed partial class ScrapingThroughTheApi
{
    [Fact]
    [Trait("Scoreboard", "I01")]
    [Trait("Scoreboard", "H11")]
    [Trait("Scoreboard", "H12")]
    public async Task A_scrape_offers_all_families_and_follows_what_happens()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, flags: ["--legacy-metrics", "--webui-metrics", "--profiling"]);
        using var http = new HttpClient();
        Assert.Equal("0", Value(await http.GetStringAsync(scene.Metrics), "hami_gpu_memory_allocated_bytes"));

        var pod = await scene.CreatePodAsync("p", memoryMiB: 1000);
        await scene.FilterAsync("p", "n1");
        await scene.BindAsync(pod, "n1");
        await scene.CreatePodAsync("large", memoryMiB: 20000);
        await scene.FilterAsync("large", "n1");
        await ControlPlaneScene.UntilAsync(
            async () => (await http.GetStringAsync(scene.Metrics)).Contains("hami_placement_refusals_total{reason=\"CardInsufficientMemory\"} 1", StringComparison.Ordinal), () => scene.Log);

        var text = await http.GetStringAsync(scene.Metrics);
        Assert.Equal($"{1000L << 20}", Value(text, "hami_gpu_memory_allocated_bytes"));
        Assert.Equal($"{1000L << 20}", Value(text, "vGPUMemoryAllocated"));
        Assert.Equal("1", Value(text, "hami_log_events_total{type=\"allocation_placed\"}"));
        Assert.Equal("2", Value(text, "hami_stage_duration_seconds_count{stage=\"filter_http\"}"));
        Assert.Equal("1", Value(text, "hami_stage_duration_seconds_count{stage=\"bind_http\"}"));
        Assert.Equal("1", Value(text, "hami_ready"));
        Assert.Contains($"hami_build_info{{version=\"{BuildFacts.Here.Version}\",revision=\"{BuildFacts.Here.Revision}\",", text, StringComparison.Ordinal);
        ApprovedText.Is("metrics.txt", string.Join('\n', Families().Matches(text).Select(m => m.Value).Order(StringComparer.Ordinal)));

        // Diagnostics: only at the extender's listener.
        Assert.Contains("workingSetBytes", await http.GetStringAsync(new Uri(scene.Extender, "debug/runtime")), StringComparison.Ordinal);
        using var collected = await http.PostAsync(new Uri(scene.Extender, "debug/collect"), null);
        Assert.True(collected.IsSuccessStatusCode);
        foreach (var other in new[] { scene.Address, scene.Metrics })
        {
            using var hidden = await http.GetAsync(new Uri(other, "/debug"));
            Assert.Equal(404, (int)hidden.StatusCode);
        }
    }

    private static string Value(string text, string series) =>
        text.Split('\n').First(l => l.StartsWith(series, StringComparison.Ordinal) && l[0] != '#') is var line ? line[(line.LastIndexOf(' ') + 1)..] : "";

    // Names and types of the families; the samples are another test's.
    [GeneratedRegex("(?<=^# TYPE ).+$", RegexOptions.Multiline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Families();
}

public sealed class HidingDiagnostics(RunningScene running) : IClassFixture<RunningScene>
{
    [Fact]
    [Trait("Scoreboard", "H11")]
    public async Task Without_the_flag_there_are_none()
    {
        using var http = new HttpClient();
        foreach (var path in new[] { "debug", "debug/runtime", "debug/pprof/" })
        {
            using var answer = await http.GetAsync(new Uri(running.Scene.Extender, path));
            Assert.Equal(404, (int)answer.StatusCode);
        }
    }
}
