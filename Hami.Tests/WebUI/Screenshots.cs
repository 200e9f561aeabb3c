using System.Globalization;
using Hami.Lab.ApiServer;
using Hami.Lab.Cluster;
using k8s;
using k8s.Models;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

[CollectionDefinition(Name)]
public sealed class PicturesCollection : ICollectionFixture<WebUIScene>
{
    public const string Name = "pictures of the web UI";
}

/// <summary><c>./hami screenshots</c>: not a test, but made with what tests are made of.</summary>
[Collection(PicturesCollection.Name)]
[Trait("Category", "Screenshots")]
public sealed class Screenshots(WebUIScene scene)
{
    private static readonly IReadOnlyList<string> Namespaces = ["inference", "research", "training"];

    // Long enough for trends to have a shape: their points are five minutes apart.
    private static readonly TimeSpan Running = TimeSpan.FromMinutes(
        double.Parse(Environment.GetEnvironmentVariable("HAMI_SCREENSHOTS_MINUTES") is { Length: > 0 } given ? given : "26", CultureInfo.InvariantCulture));

    private static readonly string Folder = Path.Combine(BuiltPrograms.Root, "docs", "images");

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_page_light_and_dark()
    {
        Assert.NotNull(scene.Browser);
        await LiveAsync(new Random(8));
        var then = TimeProvider.System.GetUtcNow() - Running / 2;
        List<(string Name, string Address, bool IsWhole)> pictures =
        [
            ("overview", "/", true), ("overview-past", $"/?at={then.UtcDateTime:yyyy-MM-ddTHH:mm:00Z}", false),
            ("nodes", "/nodes", false), ("node", "/nodes/n2", true), ("devices", "/devices", false), ("device", await scene.AddressOfAsync("/devices/{card}"), true),
            ("workloads", "/workloads", false), ("workload", await scene.AddressOfAsync("/workloads/{pod}"), true), ("pending", "/pending", false),
            ("namespaces", "/namespaces", false), ("usage", "/usage", false), ("history", "/history", false),
        ];
        Directory.CreateDirectory(Folder);
        foreach (var scheme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
        {
            await using var visit = await scene.VisitAsync(new() { Token = Guard.AdminToken, Scheme = scheme, Window = (1280, 800) });
            foreach (var (name, address, isWhole) in pictures)
            {
                await visit.GoAsync(address);
                // Charts are drawn a frame or two after their numbers are there.
                await visit.Page.WaitForTimeoutAsync(500);
                await visit.SettleAsync();
                await visit.Page.ScreenshotAsync(new()
                {
                    Path = Path.Combine(Folder, $"{name}-{(scheme is ColorScheme.Dark ? "dark" : "light")}.png"),
                    FullPage = isWhole,
                    Animations = ScreenshotAnimations.Disabled,
                });
            }
            visit.AssertNothingWentWrong();
        }
    }

    /// <summary>Workloads come and go, as on a day of a small team.</summary>
    private async Task LiveAsync(Random random)
    {
        foreach (var @namespace in Namespaces)
            await scene.Lab.Kubernetes.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = @namespace } }, cancellationToken: Ct);
        var began = TimeProvider.System.GetTimestamp();
        var running = new List<(string Name, string Namespace)>();
        for (var i = 1; TimeProvider.System.GetElapsedTime(began) < Running; i++)
        {
            if (i % 8 == 0)
                await WorkAsync(random);
            if (running.Count > 3 && (running.Count > 12 || random.Next(3) == 0))
            {
                var (name, @namespace) = running[random.Next(running.Count)];
                running.Remove((name, @namespace));
                await scene.DeletePodAsync(name, @namespace);
            }
            else
            {
                var @namespace = Namespaces[random.Next(Namespaces.Count)];
                var name = $"{(@namespace is "inference" ? "serve" : @namespace is "training" ? "train" : "notebook")}-{i}";
                var memory = random.Next(2, 13) * 500;
                await scene.CreatePodAsync(name, @namespace, memory, $"exec lab-cuda alloc {memory * random.Next(4, 10) / 10} --hold");
                running.Add((name, @namespace));
            }
            await Task.Delay(TimeSpan.FromSeconds(random.Next(10, 40)), Ct);
        }
    }

    /// <summary>Cards that somebody holds compute something: the pretended driver says so once it is read anew.</summary>
    private async Task WorkAsync(Random random)
    {
        var held = (await scene.AskAsync("{ devices(first: 500, filter: { used: true }) { items { uuid } } }"))["devices"]!["items"]!.AsArray().Select(card => card!["uuid"]!.GetValue<string>()).ToHashSet(StringComparer.Ordinal);
        foreach (var node in scene.Lab.Nodes)
        {
            var cards = node.AsDriverFile().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => held.Contains(line.Split(';')[0]) ? $"{line};busy={random.Next(20, 96)}" : line);
            await File.WriteAllLinesAsync(Path.Combine(Path.GetDirectoryName(scene.Lab.Logs)!, node.Folder, "driver.txt"), cards, Ct);
            await scene.Lab.KillAgentAsync(node.Name);
        }
    }
}
