using System.Collections.Concurrent;
using System.Threading.Channels;
using Hami.Lab.Controllers;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Lab;

/// <summary>Nothing a controller has to look at is forgotten, however often it fails and however far away it lies.</summary>
public sealed class ControllersQueue
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_that_fails_for_days_is_still_tried()
    {
        var clock = new FakeTimeProvider();
        var looks = Channel.CreateUnbounded<string>();
        await using var queue = new Running(clock, key =>
        {
            looks.Writer.TryWrite(key);
            throw new InvalidOperationException("never");
        });
        queue.Add("key");
        for (var i = 0; i < 80; i++)
            Assert.Equal("key", await queue.Next(looks.Reader, TimeSpan.FromSeconds(1000)));
    }

    [Fact]
    public async Task Of_several_wishes_for_one_key_the_earliest_counts_and_only_once()
    {
        var clock = new FakeTimeProvider();
        var looks = new ConcurrentQueue<string>();
        var marks = Channel.CreateUnbounded<string>();
        await using var queue = new Running(clock, key =>
        {
            looks.Enqueue(key);
            if (key is "mark")
                marks.Writer.TryWrite(key);
        });
        foreach (var minutes in (int[])[3, 1, 2])
            queue.AddAfter("key", TimeSpan.FromMinutes(minutes));
        queue.AddAfter("mark", TimeSpan.FromMinutes(10));
        for (var i = 0; i < 10; i++)
            clock.Advance(TimeSpan.FromMinutes(1));
        await marks.Reader.ReadAsync(Cancellation);
        Assert.Equal(["key", "mark"], looks.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_is_due_in_many_years_is_not_lost()
    {
        var clock = new FakeTimeProvider();
        var looks = Channel.CreateUnbounded<string>();
        await using var queue = new Running(clock, key => looks.Writer.TryWrite(key));
        queue.AddAfter("key", TimeSpan.FromDays(365 * 68));
        Assert.Equal("key", await queue.Next(looks.Reader, TimeSpan.FromDays(1)));
    }

    [Fact]
    public async Task A_key_that_always_wishes_itself_back_does_not_keep_the_queue_from_ending()
    {
        var clock = new FakeTimeProvider();
        var queue = new WorkQueue(clock);
        using var stop = new CancellationTokenSource();
        var (looking, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        var looks = 0;
        var work = queue.Run(1, async (key, _) =>
        {
            Interlocked.Increment(ref looks);
            looking.TrySetResult();
            await goOn.Task;
            queue.AddAfter(key, TimeSpan.FromMilliseconds(1));
        }, (_, _) => { }, stop.Token);
        queue.Add("key");
        await looking.Task.WaitAsync(Cancellation);
        await stop.CancelAsync();
        goOn.SetResult();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => work.WaitAsync(TimeSpan.FromSeconds(60), Cancellation));
        Assert.Equal(1, looks);
    }

    /// <summary>A queue with one worker.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly FakeTimeProvider _clock;
        private readonly WorkQueue _queue;
        private readonly Task _work;

        public Running(FakeTimeProvider clock, Action<string> look)
        {
            (_clock, _queue) = (clock, new(clock));
            _work = _queue.Run(1, (key, _) =>
            {
                look(key);
                return Task.CompletedTask;
            }, (_, _) => { }, _stop.Token);
        }

        public void Add(string key) => _queue.Add(key);

        public void AddAfter(string key, TimeSpan delay) => _queue.AddAfter(key, delay);

        /// <summary>Lets time go by, in steps of this size, until a key is looked at.</summary>
        public async Task<string> Next(ChannelReader<string> looks, TimeSpan step)
        {
            for (var i = 0; i < 3000; i++)
            {
                if (looks.TryRead(out var key))
                    return key;
                _clock.Advance(step);
                await Task.Delay(10, Cancellation);
            }
            throw new TimeoutException("The key was not looked at again.");
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stop.Dispose();
        }
    }
}
