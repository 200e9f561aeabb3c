using Hami.Lab.Cluster;

namespace Hami.Tests.Cluster;

public sealed class SupervisingAProcess : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hami-test-").FullName;

    private string Log => Path.Combine(_folder, "log");

    [Fact]
    public async Task What_dies_is_started_again()
    {
        await using var supervised = Sleeper(restarts: true);
        await supervised.StartAsync();
        var first = supervised.ProcessId;
        await supervised.KillAsync();
        await Until(() => supervised.ProcessId is { } second && second != first);
        Assert.Equal(1, supervised.Restarts);
    }

    [Fact]
    public async Task Without_restarts_it_stays_down_until_it_is_asked_for()
    {
        await using var supervised = Sleeper(restarts: false);
        await supervised.StartAsync();
        await supervised.KillAsync();
        await Task.Delay(500);
        Assert.Null(supervised.ProcessId);
        await supervised.StartAsync();
        Assert.NotNull(supervised.ProcessId);
    }

    [Fact]
    public async Task After_stopping_nothing_is_left_and_nothing_comes_back()
    {
        int id;
        await using (var supervised = Sleeper(restarts: true))
        {
            await supervised.StartAsync();
            id = supervised.ProcessId!.Value;
        }

        Assert.False(Signals.IsAlive(id));
    }

    [Fact]
    public async Task What_it_prints_is_in_its_log_also_what_it_printed_before_it_died()
    {
        await using var child = await ChildProcess.StartAsync("echo", ["/bin/sh", "-c", "echo out; echo err >&2; exit 7"], Log);
        await child.WaitForExitAsync(CancellationToken.None);
        Assert.Equal(7, child.ExitCode);
        Assert.Equal(["out", "err"], await File.ReadAllLinesAsync(Log));
    }

    [Fact]
    public async Task A_program_that_does_not_listen_is_ended_all_the_same()
    {
        await using var deaf = await ChildProcess.StartAsync("deaf", ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], Log);
        await Until(() => File.Exists(Log) && File.ReadAllText(Log).Contains("ready", StringComparison.Ordinal));
        await deaf.StopAsync(TimeSpan.FromMilliseconds(300));
        Assert.True(deaf.HasExited);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private SupervisedProcess Sleeper(bool restarts) =>
        new(() => ChildProcess.StartAsync("sleeper", ["/bin/sh", "-c", "exec sleep 60"], Log), restarts, TimeProvider.System);

    private static async Task Until(Func<bool> holds)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!holds())
            await Task.Delay(20, timeout.Token);
    }
}
