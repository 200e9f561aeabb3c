using System.Runtime.CompilerServices;
using Hami.Api.Observing;

namespace Hami.Api.Asking;

/// <summary>Tells that something happened in the cluster, no more often than a person can follow.</summary>
public sealed class ClusterChanges
{
    private readonly ClusterNews _news;
    private readonly Rows _rows;
    private readonly TimeProvider _time;

    internal ClusterChanges(ClusterNews news, Rows rows, TimeProvider time) => (_news, _rows, _time) = (news, rows, time);

    /// <summary>
    /// Tells at once where the log is, then each time it has grown, and once more where the lists only then show what was told. What happens between two
    /// words is told as one; the last is always told.
    /// </summary>
    /// <param name="after">A position that this replica may not have reached yet; null for none.</param>
    internal async IAsyncEnumerable<ClusterChange> FollowAsync(long? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reader = _news.Join();
        if (after is { } position)
            await Resuming.WaitForAsync(position, () => _news.Now.Position, _time, cancellationToken);
        News? told = null;
        while (true)
        {
            var (now, changes) = _news.Look();
            if (now.Log != (told ?? now).Log)
                throw ChangeFeed.ReadAnew();
            if (told?.Position == now.Position && (told.Value.IsListed || !now.IsListed))
            {
                await changes.WaitAsync(cancellationToken);
                continue;
            }
            told = now;
            yield return new(now.Position, now.At ?? await TimeOfAsync(now.Position, cancellationToken), now.IsListed);
            await Task.Delay(Limits.Pace, _time, cancellationToken);
        }
    }

    private async Task<DateTimeOffset> TimeOfAsync(long position, CancellationToken cancellationToken)
    {
        var conditions = new Conditions().And("e.seq_id = ?", position);
        return await _rows.ReadAsync($"select e.timestamp from {LogEvent.Table} {conditions.Where}", conditions, r => r.GetFieldValue<DateTimeOffset>(0), cancellationToken) is [var at]
            ? at : _time.GetUtcNow();
    }
}
