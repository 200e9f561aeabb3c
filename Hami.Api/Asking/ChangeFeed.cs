using System.Threading.Channels;
using GraphQL;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api.Asking;

/// <summary>What one commit changed.</summary>
internal sealed record Change(ClusterLedger Before, ClusterLedger After, IReadOnlyList<Recorded> Recorded);

/// <summary>Hands every commit to those who subscribed. In the journal's loop it only puts it into their boxes, which are small: a slow reader is cut off.</summary>
internal sealed class ChangeFeed : ILogFollower
{
    private readonly Lock _gate = new();
    private readonly HashSet<Channel<Change>> _subscribers = [];
    private ClusterLedger _latest = ClusterLedger.Empty;

    public void Began(ClusterLedger from)
    {
        lock (_gate)
        {
            _latest = from;
            // What is told from here on may have been told before, or be another log, as after the restore of a backup.
            foreach (var subscriber in _subscribers)
                subscriber.Writer.TryComplete(ReadAnew());
            _subscribers.Clear();
        }
    }

    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        lock (_gate)
        {
            var change = new Change(_latest, after, recorded);
            _latest = after;
            foreach (var subscriber in _subscribers)
            {
                if (!subscriber.Writer.TryWrite(change))
                    subscriber.Writer.TryComplete(TooSlow());
            }
            _subscribers.RemoveWhere(s => s.Reader.Completion.IsFaulted);
        }
    }

    /// <summary>Position of the last commit.</summary>
    public long Position
    {
        get
        {
            lock (_gate)
                return _latest.Position;
        }
    }

    /// <summary>Everything that is committed from now on, and what was true just before.</summary>
    public (ClusterLedger Now, IAsyncEnumerable<Change> Later) Subscribe(CancellationToken cancellationToken)
    {
        var box = Channel.CreateBounded<Change>(new BoundedChannelOptions(Limits.Waiting) { SingleReader = true });
        lock (_gate)
        {
            if (_subscribers.Count >= Limits.Subscriptions)
                throw TooMany();
            _subscribers.Add(box);
            return (_latest, ReadAsync(box, cancellationToken));
        }
    }

    /// <summary>What a reader is told who does not keep up.</summary>
    public static ExecutionError TooSlow() =>
        new("You read more slowly than things change, so this subscription ends: resume it with the id of the last event as Last-Event-ID.") { Code = "TOO_SLOW" };

    /// <summary>What those are told who follow a log that another one has taken the place of.</summary>
    public static ExecutionError ReadAnew() =>
        new("The log is read anew, so this subscription ends: resume it with the id of the last event as Last-Event-ID.") { Code = "READ_ANEW" };

    /// <summary>What one too many is told.</summary>
    public static ExecutionError TooMany() =>
        new($"This process has its {Limits.Subscriptions} subscriptions: subscribe at another replica, or later.") { Code = "UNAVAILABLE" };

    private async IAsyncEnumerable<Change> ReadAsync(Channel<Change> box, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var change in box.Reader.ReadAllAsync(cancellationToken))
                yield return change;
        }
        finally
        {
            lock (_gate)
                _subscribers.Remove(box);
        }
    }
}
