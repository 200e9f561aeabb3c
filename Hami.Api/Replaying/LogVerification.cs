using System.Data;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;
using Npgsql;

namespace Hami.Api.Replaying;

/// <summary>What a verification of the log found.</summary>
/// <param name="Position">Sequence of the last event.</param>
/// <param name="Redecided">Placements that were decided again.</param>
/// <param name="NotRedecided">Placements of a time when the ask was not kept, which could not be.</param>
/// <param name="ReadModelsTo">Up to which event the read models were compared; null when there are none of this program's shape.</param>
/// <param name="Heads">Exported heads that were compared.</param>
/// <param name="ProtectedTo">Up to which position nothing can have been changed unseen; 0 without exported heads.</param>
/// <param name="SignaturesChecked">False when no key was given.</param>
/// <param name="Findings">What must not be so, at most <see cref="MostFindings"/>.</param>
/// <param name="Unnamed">How many more there are.</param>
internal sealed record VerifyReport(
    long Events, long Position, long Redecided, long NotRedecided, long? ReadModelsTo, int Heads, long ProtectedTo, bool SignaturesChecked, IReadOnlyList<Finding> Findings, int Unnamed)
{
    public const int MostFindings = 1000;

    public bool IsIntact => Findings.Count == 0;
}

/// <summary>Replays the whole log and compares everything that is derived from it.</summary>
internal sealed class LogVerification(NpgsqlDataSource database, StoredEvents events)
{
    /// <summary>Verifies the log as it is at one moment.</summary>
    /// <param name="heads">As exported; read before this is called, so that the log is not older than they are.</param>
    /// <param name="keys">What the heads are signed with; null to believe them unsigned.</param>
    public async Task<VerifyReport> RunAsync(IReadOnlyList<ExportedHead?> heads, HeadKeys? keys, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        // One moment of the database, whatever is written meanwhile.
        await using var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var (chain, exported, log) = (new ChainCheck(), new HeadsCheck(heads, keys), new LogCheck());
        await using (var utc = new NpgsqlCommand("set local time zone 'UTC'", connection))
            await utc.ExecuteNonQueryAsync(cancellationToken);
        var readModels = await ReadModelsCheck.ReadAsync(connection, cancellationToken);
        var checkpoints = await CheckpointCheck.ReadAsync(connection, cancellationToken);
        var others = new List<Finding>();
        var count = 0L;
        await foreach (var row in LogRows.ReadAsync(connection, 0, long.MaxValue, cancellationToken))
        {
            count++;
            var previous = chain.Last.Hash;
            chain.Next(row);
            exported.Next(row);
            try
            {
                var e = events.Read(row);
                log.Next(e);
                readModels.Next(e);
                if (e.Event is NodeEvent.NodeCarriedForward carried && carried.PreviousHash != previous)
                    others.Add(new(row.Position, row.Stream, "it does not carry the hash of the row before it"));
                if (row.AllocationId != AllocationIds.Of(e.Event)?.ToString())
                    others.Add(new(row.Position, row.Stream, $"the allocation beside its body is {row.AllocationId ?? "missing"}, not that of the body"));
            }
            catch (FormatException e)
            {
                others.Add(new(row.Position, row.Stream, $"it cannot be read: {e.Message}"));
            }
            checkpoints.Next(row, log.Ledger);
        }
        log.End();
        exported.End(chain.Last.Position);
        checkpoints.End();
        List<Finding> all =
        [
            .. chain.Findings, .. exported.Findings, .. others, .. log.Findings, .. checkpoints.Findings,
            .. await CompanionCheck.HeadAsync(connection, chain.Last, cancellationToken),
            .. await CompanionCheck.StreamsAsync(connection, chain.Versions, log.Ledger, cancellationToken),
            .. await CompanionCheck.LiveAllocationsAsync(connection, log.Ledger, cancellationToken),
            .. await readModels.CompareAsync(connection, cancellationToken),
        ];
        all = [.. all.OrderBy(f => f.Position ?? long.MaxValue)];
        return new(
            count, chain.Last.Position, log.Redecided, log.NotRedecided, readModels.Position, exported.Count, Math.Min(exported.Last?.Position ?? 0, chain.Last.Position), keys is not null,
            [.. all.Take(VerifyReport.MostFindings)], Math.Max(0, all.Count - VerifyReport.MostFindings));
    }
}
