using System.Diagnostics;
using Hami.Lab.Cluster;

namespace Hami.Bench.History;

/// <summary>hami-api as a process of its own over a database, with an API server that does not answer: it folds the log and answers questions.</summary>
internal sealed class RunningApi : IAsyncDisposable
{
    private const string Nowhere =
        """
        {"apiVersion":"v1","kind":"Config","current-context":"nowhere",
        "clusters":[{"name":"nowhere","cluster":{"server":"http://127.0.0.1:1"}}],"users":[{"name":"nobody","user":{"token":"nobody"}}],
        "contexts":[{"name":"nowhere","context":{"cluster":"nowhere","user":"nobody"}}]}
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Often = TimeSpan.FromMilliseconds(10);

    private readonly DirectoryInfo _folder;
    private readonly ChildProcess _process;

    private RunningApi(DirectoryInfo folder, ChildProcess process, Uri address)
    {
        _folder = folder;
        _process = process;
        ControlPlane = new(address);
    }

    public ControlPlane ControlPlane { get; }

    /// <summary>From the start of the process until it had folded the log.</summary>
    public TimeSpan UntilFolded { get; private set; }

    public static async Task<RunningApi> StartAsync(string postgres, CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("hami-bench-api-");
        var kubeconfig = Path.Combine(folder.FullName, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, Nowhere, ct);
        var address = new Uri($"http://127.0.0.1:{Loopback.FreePort()}/");
        var log = Path.Combine(folder.FullName, "log");
        var began = Stopwatch.GetTimestamp();
        var process = await ChildProcess.StartAsync(
            "hami-api",
            [
                .. BuiltPrograms.Api, "serve", "--http", address.Authority, "--extender", "none", "--metrics-bind-address", "0", "--auth-mode", "none",
                "--postgres", postgres, "--kubeconfig", kubeconfig,
            ],
            log, environment: BuiltPrograms.Environment);
        var api = new RunningApi(folder, process, address);
        using var http = new HttpClient { BaseAddress = address };
        while (await WhyNotReadyAsync(http, ct) is null or "hami is reading its log from PostgreSQL")
        {
            if (process.HasExited || Stopwatch.GetElapsedTime(began) > Patience)
                throw new InvalidOperationException($"hami-api does not start:\n{string.Join('\n', File.ReadLines(log).TakeLast(30))}");
            await Task.Delay(Often, ct);
        }
        api.UntilFolded = Stopwatch.GetElapsedTime(began);
        return api;
    }

    public async ValueTask DisposeAsync()
    {
        ControlPlane.Dispose();
        await _process.StopAsync(TimeSpan.FromSeconds(20));
        await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static async Task<string?> WhyNotReadyAsync(HttpClient http, CancellationToken ct)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri("readyz", UriKind.Relative), ct);
            return await answer.Content.ReadAsStringAsync(ct);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
