using System.Threading.Channels;

namespace Hami.Lab.Controllers;

/// <summary>Keys to look at: each once however often it is added, never by two workers, and again later when looking at it failed.</summary>
internal sealed class WorkQueue(TimeProvider time)
{
    // client-go's DefaultTypedControllerRateLimiter.
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1000);
    private const int MostDoublings = 20;

    // A deadline may be years away, and no timer runs that long: its key is looked at in between, which harms nobody.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);

    private readonly Channel<string> _ready = Channel.CreateUnbounded<string>();
    private readonly Dictionary<string, int> _failures = new(StringComparer.Ordinal);
    private readonly HashSet<string> _waiting = new(StringComparer.Ordinal);
    private readonly HashSet<string> _running = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateTimeOffset> _due = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private CancellationToken _stop;

    public void Add(string key)
    {
        lock (_lock)
        {
            if (!_waiting.Add(key) || _running.Contains(key))
                return;
        }
        _ready.Writer.TryWrite(key);
    }

    /// <summary>Adds the key in a while; of several such wishes the earliest counts, for whoever looks wishes anew.</summary>
    public void AddAfter(string key, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
        {
            Add(key);
            return;
        }
        delay = delay < LongestWait ? delay : LongestWait;
        var due = time.GetUtcNow() + delay;
        lock (_lock)
        {
            if (_due.TryGetValue(key, out var known) && known <= due)
                return;
            _due[key] = due;
        }
        _ = Later(key, delay, due);
    }

    /// <summary>Works until cancelled. A failure is told, and its key is tried again after a delay that doubles.</summary>
    public Task Run(int workers, Func<string, CancellationToken, Task> look, Action<string, Exception> failed, CancellationToken cancellationToken)
    {
        _stop = cancellationToken;
        return Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(() => Work(look, failed, cancellationToken), CancellationToken.None)));
    }

    private async Task Work(Func<string, CancellationToken, Task> look, Action<string, Exception> failed, CancellationToken cancellationToken)
    {
        await foreach (var key in _ready.Reader.ReadAllAsync(cancellationToken))
        {
            // As long as there are keys, reading them does not ask; and a look may wish itself back for ever.
            cancellationToken.ThrowIfCancellationRequested();
            lock (_lock)
            {
                _waiting.Remove(key);
                _running.Add(key);
            }
            try
            {
                await look(key, cancellationToken);
                lock (_lock)
                    _failures.Remove(key);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                failed(key, e);
                AddAfter(key, Delay(key));
            }
            finally
            {
                Finish(key);
            }
        }
    }

    private TimeSpan Delay(string key)
    {
        lock (_lock)
        {
            var failures = _failures.GetValueOrDefault(key);
            _failures[key] = failures + 1;
            return FirstDelay * Math.Pow(2, Math.Min(failures, MostDoublings)) is var delay && delay < LongestDelay ? delay : LongestDelay;
        }
    }

    private void Finish(string key)
    {
        lock (_lock)
        {
            _running.Remove(key);
            if (!_waiting.Contains(key))
                return;
        }
        // Added again while it was looked at.
        _ready.Writer.TryWrite(key);
    }

    private async Task Later(string key, TimeSpan delay, DateTimeOffset due)
    {
        await Task.Delay(delay, time, _stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_stop.IsCancellationRequested)
            return;
        lock (_lock)
        {
            if (!_due.TryGetValue(key, out var earliest) || earliest != due)
                return;
            _due.Remove(key);
        }
        Add(key);
    }
}
