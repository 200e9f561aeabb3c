using System.Runtime.CompilerServices;
using GraphQL;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Marten;

namespace Hami.Api.Asking;

/// <summary>The changes a subscription is told of: those since the position it resumes after, from the log, then those to come.</summary>
public sealed class Resuming
{
    /// <summary>How long a replica that is behind the one a client was at has to catch up.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly ChangeFeed _feed;
    private readonly IDocumentStore _store;
    private readonly Rows _rows;
    private readonly TimeProvider _time;

    internal Resuming(ChangeFeed feed, IDocumentStore store, Rows rows, TimeProvider time) => (_feed, _store, _rows, _time) = (feed, store, rows, time);

    /// <summary>Tells what has happened since, and what happens from now on.</summary>
    /// <param name="after">Position in the log; null to begin now.</param>
    /// <param name="tell">What of a commit is told; it is given what is known of allocations that were placed before.</param>
    internal IAsyncEnumerable<T> FollowAsync<T>(long? after, Func<Change, Known, IEnumerable<T>> tell, CancellationToken cancellationToken)
    {
        // At once, not when the first is asked for: nothing is missed between the answer's head and its first event.
        var (now, later) = _feed.Subscribe(cancellationToken);
        return FollowAsync(after, now, later, tell, cancellationToken);
    }

    private async IAsyncEnumerable<T> FollowAsync<T>(
        long? after, ClusterLedger now, IAsyncEnumerable<Change> later, Func<Change, Known, IEnumerable<T>> tell, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var changes = later.GetAsyncEnumerator(cancellationToken);
        var position = after ?? now.Position;
        if (position < now.Position)
        {
            var missed = await MissedAsync(position, now.Position, cancellationToken);
            foreach (var told in tell(new(ClusterLedger.Empty, now, missed), await KnownAsync(missed, now, cancellationToken)))
                yield return told;
        }
        else if (position > now.Position)
        {
            await WaitForAsync(position, () => _feed.Position, _time, cancellationToken);
        }
        while (await changes.MoveNextAsync())
        {
            // A replica that was behind is told what its client has seen elsewhere.
            if (changes.Current is not { } change || change.After.Position <= position)
                continue;
            if (change.Recorded[0].Position <= position)
                change = change with { Recorded = [.. change.Recorded.Where(r => r.Position > position)] };
            foreach (var told in tell(change, Known.Nothing))
                yield return told;
        }
    }

    /// <summary>Waits until this replica is where a client was at another.</summary>
    /// <exception cref="ExecutionError">BAD_EVENT_ID: it is not there in time, so that the client was told of another log.</exception>
    internal static async Task WaitForAsync(long position, Func<long> reached, TimeProvider time, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        while (reached() < position)
        {
            if (time.GetElapsedTime(since) > Patience)
                throw new ExecutionError($"Last-Event-ID {position} lies beyond the end of the log, which is at {reached()}, as after the restore of a backup: ask anew, and subscribe without it.") { Code = "BAD_EVENT_ID" };
            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    private async Task<List<Recorded>> MissedAsync(long from, long to, CancellationToken cancellationToken)
    {
        if (await Rows.AnsweredAsync(() => Horizon.ReadAsync(_rows.Database, cancellationToken), cancellationToken) is { } horizon && from < horizon.Position)
            throw new ExecutionError($"Last-Event-ID {from} is before the horizon of the log, event {horizon.Position}: ask anew for what there is, and subscribe without it.") { Code = "BAD_EVENT_ID" };
        await using var session = _store.QuerySession();
        var events = await session.Events.QueryAllRawEvents()
            .Where(e => e.Sequence > from && e.Sequence <= to).OrderBy(e => e.Sequence).Take(Limits.CatchUp + 1).ToListAsync(cancellationToken);
        return events.Count > Limits.CatchUp
            ? throw new ExecutionError($"Last-Event-ID {from} is more than {Limits.CatchUp} events ago: ask anew for what there is, and subscribe without it.") { Code = "BAD_EVENT_ID" }
            : [.. events.Select(LogReader.Recorded)];
    }

    /// <summary>What the events that were missed do not say themselves, and the ledger no longer.</summary>
    private async Task<Known> KnownAsync(List<Recorded> missed, ClusterLedger now, CancellationToken cancellationToken)
    {
        var placed = missed.Select(r => Placed.Of(r.Event)).OfType<Placed>().Select(p => p.Id).ToHashSet();
        var unknown = missed.Select(r => AllocationIds.Of(r.Event)).OfType<Guid>().Where(id => !placed.Contains(id))
            .Distinct().Where(id => !now.Nodes.Values.Any(n => n.Allocations.ContainsKey(id))).ToArray();
        var withdrawn = missed.Where(r => r.Event is PodEvent.WorkloadWithdrawn).Select(r => r.Stream).Distinct(StringComparer.Ordinal).ToArray();
        var allocations = unknown.Length == 0 ? []
            : await _rows.ReadAsync(
                $"select {AllocationRows.Columns} from {AllocationRows.Table} where a.id = any($1)", Of(unknown), AllocationRows.RowOf, cancellationToken);
        var pods = withdrawn.Length == 0 ? []
            : await _rows.ReadAsync(
                $"select distinct on (e.stream_id) e.data->>'podUid', e.data->>'namespace', e.data->>'pod' from {LogEvent.Table} where e.stream_id = any($1) and e.type = 'placement_refused' order by e.stream_id, e.seq_id desc",
                Of(withdrawn), r => (Uid: r.GetString(0), Namespace: r.GetString(1), Name: r.GetString(2)), cancellationToken);
        return new(
            allocations.ToDictionary(a => a.Id, a => new Placed(a.Id, a.PodUid, a.Namespace, a.Pod, a.Node, a.Shares)), pods.ToDictionary(p => p.Uid, p => (p.Namespace, p.Name), StringComparer.Ordinal));

        static Conditions Of(object values)
        {
            var conditions = new Conditions();
            _ = conditions.Parameter(values);
            return conditions;
        }
    }
}

/// <summary>Who an allocation belongs to and what it holds, as it was placed.</summary>
internal sealed record Placed(Guid Id, string PodUid, string Namespace, string Pod, string Node, IReadOnlyList<Share> Shares)
{
    public static Placed? Of(object happened) => happened switch
    {
        NodeEvent.AllocationPlaced e => new(e.AllocationId, e.PodUid, e.Namespace, e.Pod, e.Node, e.Shares),
        NodeEvent.AllocationAdopted e => new(e.AllocationId, e.PodUid, e.Namespace, e.Pod, e.Node, e.Shares),
        _ => null,
    };

    public static Placed? Of(ClusterLedger ledger, string node, Guid id) =>
        ledger.Node(node).Allocations.TryGetValue(id, out var a) ? new(a.Id, a.PodUid, a.Namespace, a.Pod, node, a.Shares) : null;
}

/// <summary>What was read beside the events that a subscription had missed.</summary>
internal sealed record Known(IReadOnlyDictionary<Guid, Placed> Allocations, IReadOnlyDictionary<string, (string Namespace, string Pod)> Pods)
{
    public static readonly Known Nothing = new(new Dictionary<Guid, Placed>(), new Dictionary<string, (string, string)>(StringComparer.Ordinal));
}
