using System.Threading.Channels;
using Hami.Api.Plumbing;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Plumbing;

/// <summary>Pods that cannot be reconciled, and binds that cannot be settled, stand in nobody's way.</summary>
public sealed class WorkingOnManyKeys : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Channel<TimeSpan> _failures = Channel.CreateUnbounded<TimeSpan>();
    private readonly KeyedWork _work;

    public WorkingOnManyKeys() => _work = new(workers: 1, _time);

    [Fact]
    public async Task A_key_that_fails_keeps_no_worker_from_the_others()
    {
        foreach (var key in new[] { "bad-1", "bad-2", "bad-3" })
            _ = DoAsync(key, () => throw new IOException("the API server is away"));
        for (var i = 0; i < 3; i++)
            await FailureAsync();

        // The only worker is free, though nobody's time has come.
        await DoAsync("good", () => Task.CompletedTask).WaitAsync(Patience);
    }

    [Fact]
    public async Task It_waits_longer_each_time_up_to_a_minute()
    {
        var turns = new List<DateTimeOffset>();
        var doing = DoAsync("bad", () =>
        {
            turns.Add(_time.GetUtcNow());
            return turns.Count < 9 ? throw new IOException("away") : Task.CompletedTask;
        });

        await PassAsync(() => doing.IsCompleted);

        await doing;
        int[] pauses = [1, 2, 4, 8, 16, 32, 60, 60];
        foreach (var (turn, seconds) in pauses.Index())
        {
            Assert.Equal(TimeSpan.FromSeconds(seconds), await FailureAsync());
            Assert.InRange(turns[turn + 1] - turns[turn], TimeSpan.FromSeconds(seconds), TimeSpan.MaxValue);
        }
    }

    [Fact]
    public async Task Asked_for_again_it_has_its_turn_at_once()
    {
        var away = true;
        var first = DoAsync("key", () => away ? throw new IOException("away") : Task.CompletedTask);
        await FailureAsync();
        away = false;

        await DoAsync("key", () => throw new InvalidOperationException("The work is the first one's.")).WaitAsync(Patience);

        await first.WaitAsync(Patience);
    }

    [Fact]
    public async Task What_is_asked_while_it_works_is_seen_by_another_turn()
    {
        var (turns, working, go) = (0, new TaskCompletionSource(), new TaskCompletionSource());
        var first = DoAsync("key", async () =>
        {
            Interlocked.Increment(ref turns);
            working.TrySetResult();
            await go.Task;
        });
        await working.Task.WaitAsync(Patience);
        var second = DoAsync("key", () => Task.CompletedTask);
        go.SetResult();

        await Task.WhenAll(first, second).WaitAsync(Patience);

        Assert.Equal(2, turns);
    }

    [Fact]
    public async Task Whoever_waits_for_it_is_kept_by_an_outage_and_not_by_a_fault_of_its_own()
    {
        var outage = DoAsync("outage", () => throw new JournalUnavailableException("PostgreSQL is away"));
        await FailureAsync();
        var fault = DoAsync("fault", () => throw new InvalidOperationException("a bug"));
        await FailureAsync();

        await fault.WaitAsync(Patience);
        Assert.False(outage.IsCompleted);
        // It is tried again all the same.
        for (var more = 0; more < 2; more++)
        {
            await PassAsync(() => _failures.Reader.TryPeek(out _));
            await FailureAsync();
        }
    }

    [Fact]
    public async Task At_the_stop_it_ends()
    {
        var doing = DoAsync("bad", () => throw new IOException("away"));
        await FailureAsync();

        await _stopping.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => doing.WaitAsync(Patience));
    }

    public void Dispose() => _stopping.Dispose();

    private Task DoAsync(string key, Func<Task> work) => _work.DoAsync(key, _ => work(), (pause, _) => _failures.Writer.TryWrite(pause), _stopping.Token);

    private Task<TimeSpan> FailureAsync() => _failures.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    /// <summary>Lets time pass, second by second, until it is so.</summary>
    private async Task PassAsync(Func<bool> holds)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!holds())
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1, patience.Token);
        }
    }
}
