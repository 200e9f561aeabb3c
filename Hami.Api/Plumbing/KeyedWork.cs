using System.Threading.Channels;
using k8s.Autorest;

namespace Hami.Api.Plumbing;

/// <summary>
/// Work on many keys by few workers, at one key one at a time. A key whose work fails waits for its next turn, longer each time,
/// and keeps no worker from the others meanwhile; asked for again, it has its turn at once.
/// </summary>
internal sealed class KeyedWork(int workers, TimeProvider time)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    // One entry for each worker that is busy.
    private readonly Channel<bool> _busy = Channel.CreateBounded<bool>(workers);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Turns> _turns = new(StringComparer.Ordinal);

    /// <summary>Sees to a key until its work is done.</summary>
    /// <param name="notYet">Told each time the work fails, and how long the key waits now.</param>
    /// <returns>
    /// Ends when the work, begun after this call, is done; also when it fails for another reason than that the journal or the API
    /// server is away, as then only this key is to be waited for. It goes on all the same.
    /// </returns>
    public Task DoAsync(string key, Func<CancellationToken, Task> work, Action<TimeSpan, Exception> notYet, CancellationToken cancellationToken)
    {
        Turns? turns;
        lock (_gate)
        {
            if (_turns.TryGetValue(key, out turns))
            {
                turns.Asked.TrySetResult();
                return turns.Done.Task;
            }
            _turns[key] = turns = new();
        }
        _ = TakeTurnsAsync(key, turns, work, notYet, cancellationToken);
        return turns.Done.Task;
    }

    private async Task TakeTurnsAsync(string key, Turns turns, Func<CancellationToken, Task> work, Action<TimeSpan, Exception> notYet, CancellationToken cancellationToken)
    {
        for (var pause = FirstPause; !cancellationToken.IsCancellationRequested;)
        {
            if (await TryAsync(turns, work, e => notYet(pause, e), cancellationToken))
            {
                lock (_gate)
                {
                    if (!turns.Asked.Task.IsCompleted)
                    {
                        _turns.Remove(key);
                        turns.Done.TrySetResult();
                        return;
                    }
                }
                pause = FirstPause;
                continue;
            }
            await ((Task)turns.Asked.Task).WaitAsync(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
        lock (_gate)
            _turns.Remove(key);
        turns.Done.TrySetCanceled(cancellationToken);
    }

    private async Task<bool> TryAsync(Turns turns, Func<CancellationToken, Task> work, Action<Exception> failed, CancellationToken cancellationToken)
    {
        try
        {
            await _busy.Writer.WriteAsync(true, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        try
        {
            // Whoever asks from here on may know what this turn does not see yet.
            lock (_gate)
                turns.Asked = Turns.New();
            await work(cancellationToken);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            failed(e);
            if (e is not (JournalUnavailableException or HttpOperationException or HttpRequestException or IOException or TimeoutException or OperationCanceledException))
                turns.Done.TrySetResult();
            return false;
        }
        catch (Exception)
        {
            return false;
        }
        finally
        {
            _busy.Reader.TryRead(out _);
        }
    }

    private sealed class Turns
    {
        /// <summary>Ends with the first turn that nobody has asked anything after.</summary>
        public TaskCompletionSource Done { get; } = New();

        /// <summary>Ends when somebody asks once more.</summary>
        public TaskCompletionSource Asked { get; set; } = New();

        public static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
