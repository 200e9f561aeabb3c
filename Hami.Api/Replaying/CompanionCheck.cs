using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;
using Npgsql;

namespace Hami.Api.Replaying;

/// <summary>Compares what is written in the transaction of every event with what the log says.</summary>
internal static class CompanionCheck
{
    /// <summary>The row that says where the log ends.</summary>
    public static async Task<IReadOnlyList<Finding>> HeadAsync(NpgsqlConnection database, LogPlace last, CancellationToken cancellationToken)
    {
        var head = await JournalHeads.ReadAsync(database, cancellationToken);
        var (position, hash) = head is null ? (0, EventHash.Genesis) : (head.Position, head.Hash);
        return position > last.Position ? [new(position, null, $"journal_head says the log ends at row {position}, but its last row is {last.Position}: the rows after it were removed")]
            : position < last.Position ? [new(last.Position, null, $"the log goes on after row {position}, where journal_head says it ends: rows were inserted, or journal_head was changed")]
            : hash != last.Hash ? [new(position, null, "the hash in journal_head is not that of the last row")]
            : [];
    }

    /// <summary>The numbers that the streams have come to, and which of them are closed.</summary>
    /// <param name="versions">The last event of each stream.</param>
    /// <param name="sinceHorizon">Streams with events after the log's horizon; null when there is none. Others may have no row, and those of pods may be forgotten.</param>
    /// <param name="ledger">What the log folds to; null when that is not known.</param>
    public static async Task<IReadOnlyList<Finding>> StreamsAsync(
        NpgsqlConnection database, IReadOnlyDictionary<string, long> versions, IReadOnlySet<string>? sinceHorizon, ClusterLedger? ledger, CancellationToken cancellationToken)
    {
        var findings = new List<Finding>();
        var missing = new HashSet<string>(versions.Keys, StringComparer.Ordinal);
        await using var command = new NpgsqlCommand($"select id, version, is_archived from {MartenSetup.Schema}.mt_streams order by id", database);
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            var (stream, version) = (rows.GetString(0), rows.GetInt64(1));
            missing.Remove(stream);
            if (ledger is not null && rows.GetBoolean(2) != (ledger.Current(stream) != stream))
                findings.Add(new(null, stream, rows.GetBoolean(2) ? "the stream is marked as closed, and no other goes on from it" : "the stream is not marked as closed, though another goes on from it"));
            var found = versions.GetValueOrDefault(stream);
            if (found == 0 && sinceHorizon is not null)
                continue;
            if (found == 0)
                findings.Add(new(null, stream, $"the stream had {version} {(version == 1 ? "event" : "events")}, and none is there any more"));
            else if (found != version)
                findings.Add(new(null, stream, $"the stream had come to event {version}, but its last event is {found}"));
        }
        if (sinceHorizon is not null)
            missing.RemoveWhere(s => Streams.IsOfPod(s) && !sinceHorizon.Contains(s));
        findings.AddRange(missing.Order(StringComparer.Ordinal).Select(s => new Finding(null, s, "the log has events of the stream, but mt_streams does not have it")));
        return findings;
    }

    /// <summary>One row for each pod that holds something.</summary>
    public static async Task<IReadOnlyList<Finding>> LiveAllocationsAsync(NpgsqlConnection database, ClusterLedger ledger, CancellationToken cancellationToken)
    {
        var findings = new List<Finding>();
        var missing = ledger.LiveByPod.ToDictionary(l => l.Key, l => l.Value.Node, StringComparer.Ordinal);
        await using var command = new NpgsqlCommand($"select pod_uid, node, namespace, memory_mib, cores from {MartenSetup.Schema}.live_allocation order by pod_uid", database);
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            var (pod, row) = (rows.GetString(0), $"{rows.GetString(1)}, {rows.GetString(2)}, {rows.GetInt64(3)} MiB, {rows.GetInt32(4)} cores");
            if (!missing.Remove(pod, out var node) || ledger.AllocationOf(pod) is not { } held)
                findings.Add(new(null, null, $"live_allocation has a row of pod {pod}, which holds nothing by the log"));
            else if ($"{node}, {held.Namespace}, {held.Use.MemoryMiB} MiB, {held.Use.Cores} cores" is var expected && row != expected)
                findings.Add(new(null, Streams.Node(node), $"live_allocation says of pod {pod}: {row}; by the log it is: {expected}"));
        }
        findings.AddRange(missing.OrderBy(m => m.Key, StringComparer.Ordinal)
            .Select(m => new Finding(null, Streams.Node(m.Value), $"live_allocation lacks the row of pod {m.Key}, which holds cards by the log")));
        return findings;
    }
}
