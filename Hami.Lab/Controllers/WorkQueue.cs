using System.Threading.Channels;

namespace Hami.Lab.Controllers;

/// <summary>Keys to look at: each once however often it is added, never by two workers, and again later when looking at it failed.</summary>
internal sealed class WorkQueue(TimeProvider time)
{
    // client-go's DefaultTypedControllerRateLimiter.
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1000);

    private readonly Channel<string> _ready = Channel.CreateUnbounded<string>();
    private readonly Dictionary<string, int> _failures = new(StringComparer.Ordinal);
    private readonly HashSet<string> _waiting = new(StringComparer.Ordinal);
    private readonly HashSet<string> _running = new(StringComparer.Ordinal);
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

    public void AddAfter(string key, TimeSpan delay)
    {
        if (delay <= TimeSpan.Zero)
            Add(key);
        else
            _ = Later(key, delay);
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
            return FirstDelay * Math.Pow(2, failures) is var delay && delay < LongestDelay ? delay : LongestDelay;
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

    private async Task Later(string key, TimeSpan delay)
    {
        await Task.Delay(delay, time, _stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Add(key);
    }
}
