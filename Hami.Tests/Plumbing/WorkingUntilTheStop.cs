using Hami.Api.Plumbing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Plumbing;

/// <summary>What runs in the background neither ends the process nor makes a fault of its stop.</summary>
public sealed class WorkingUntilTheStop
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_stop_is_not_a_fault()
    {
        using var stopping = new CancellationTokenSource();
        var work = UntilStopped.RunAsync(token => Task.Delay(Timeout.Infinite, token), TimeProvider.System, NullLogger.Instance, stopping.Token);

        await stopping.CancelAsync();

        await work.WaitAsync(Patience);
        Assert.True(work.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_fault_begins_the_work_anew()
    {
        var (time, tries) = (new FakeTimeProvider(), 0);
        var failed = new TaskCompletionSource();
        var work = UntilStopped.RunAsync(
            _ =>
            {
                failed.TrySetResult();
                return ++tries < 3 ? throw new OperationCanceledException("a call timed out") : Task.CompletedTask;
            },
            time, NullLogger.Instance, CancellationToken.None);
        await failed.Task.WaitAsync(Patience);

        while (!work.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(10);
        }

        await work;
        Assert.Equal(3, tries);
    }

    [Fact]
    public void Nothing_runs_in_the_background_without_it()
    {
        var root = Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(Here()))!, "..");
        var services = new[] { "Hami.Api", "Hami.NodeAgent" }
            .SelectMany(project => Directory.EnumerateFiles(Path.Combine(root, project), "*.cs", SearchOption.AllDirectories))
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal))
            .Select(file => (File: Path.GetFileName(file), Text: File.ReadAllText(file)))
            .Where(f => f.Text.Contains("override Task ExecuteAsync(", StringComparison.Ordinal) || f.Text.Contains("override async Task ExecuteAsync(", StringComparison.Ordinal))
            .ToList();

        Assert.NotEmpty(services);
        Assert.All(services, f => Assert.True(f.Text.Contains("UntilStopped.RunAsync(", StringComparison.Ordinal), $"{f.File} runs without UntilStopped"));
    }

    private static string Here([System.Runtime.CompilerServices.CallerFilePath] string path = "") => path;
}
