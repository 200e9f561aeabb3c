using System.Data;
using Hami.Api.Archiving;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
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

    /// <summary>Where the log in the database begins; null when it has everything.</summary>
    public VerifiedHorizon? Horizon { get; init; }
}

/// <summary>What a verification made of history that was archived.</summary>
/// <param name="Position">The last archived event.</param>
/// <param name="File">The file that ends with it.</param>
/// <param name="Kept">Rows that were kept of archived history.</param>
/// <param name="Read">Events that were read from the files; null when they were not given: then the rows kept were counted, and no more.</param>
/// <param name="HeadsBefore">Exported heads of archived events, which could not be compared without the files.</param>
internal sealed record VerifiedHorizon(long Position, DateTimeOffset At, string File, long Kept, long? Read, int HeadsBefore);

/// <summary>Replays the log and compares everything that is derived from it.</summary>
internal sealed class LogVerification(NpgsqlDataSource database, StoredEvents events)
{
    /// <summary>Verifies the log as it is at one moment.</summary>
    /// <param name="heads">As exported; read before this is called, so that the log is not older than they are.</param>
    /// <param name="keys">What the heads are signed with; null to believe them unsigned.</param>
    /// <param name="archive">Folder with the files that history was archived into; null to begin at the log's horizon.</param>
    public async Task<VerifyReport> RunAsync(IReadOnlyList<ExportedHead?> heads, HeadKeys? keys, CancellationToken cancellationToken, string? archive = null)
    {
        await using var turn = await BuildersTurn.ShareAsync(database, cancellationToken);
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        // One moment of the database, whatever is written meanwhile.
        await using var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        await using (var utc = new NpgsqlCommand("set local time zone 'UTC'", connection))
            await utc.ExecuteNonQueryAsync(cancellationToken);
        var horizon = await Horizon.ReadAsync(connection, cancellationToken);
        var begin = archive is null ? horizon : null;
        var checkpoints = await CheckpointCheck.ReadAsync(connection, cancellationToken);
        var readModels = await ReadModelsCheck.ReadAsync(connection, begin, cancellationToken);
        var exported = new HeadsCheck(heads, keys, begin?.Position ?? 0);
        var start = begin is null ? ClusterLedger.Empty : checkpoints.Open(begin.Place);
        var (rows, others, read, sinceHorizon) = (new RowCheck(events, begin?.Place ?? LogPlace.Beginning, start), new List<Finding>(), 0L, new HashSet<string>(StringComparer.Ordinal));
        if (begin is not null && start is null)
            others.Add(new(begin.Position, null, "the checkpoint at the horizon is missing or cannot be used, so what follows cannot be folded: give --archive, or put the log back with archive --restore"));

        var kept = new KeptCheck();
        if (horizon is not null)
        {
            await foreach (var row in StoredRow.ReadAsync(connection, long.MinValue, horizon.Position, cancellationToken))
                kept.Stored(row);
            others.AddRange(kept.Anchor(horizon));
            if (begin is not null && start is not null)
            {
                exported.Next(kept.AnchorRow ?? new(horizon.Position, "", 0, "", "{}", horizon.At, horizon.Hash, null, false));
                checkpoints.Next(horizon.Place, start);
            }
        }
        if (horizon is not null && archive is not null)
        {
            foreach (var file in await Horizon.AllAsync(connection, cancellationToken))
            {
                var before = read;
                await foreach (var row in ArchiveFile.ReadAsync(archive, file, others, cancellationToken))
                {
                    read++;
                    kept.Archived(row, Next(row.Log));
                }
                kept.Ended(rows.Ledger!);
                rows.Chain.PassedHorizon();
                if (read - before != file.Events || rows.Chain.Last != file.Place)
                    others.Add(new(file.Position, null, $"{file.File} has {read - before} events and ends at event {rows.Chain.Last.Position}; when it was written it had {file.Events} and ended at event {file.Position}, with another hash"));
            }
            others.AddRange(kept.Compare());
            await readModels.PassedHorizonAsync(connection, horizon, cancellationToken);
        }

        var count = 0L;
        await foreach (var row in LogRows.ReadAsync(connection, horizon?.Position ?? 0, long.MaxValue, cancellationToken))
        {
            count++;
            if (horizon is not null)
                sinceHorizon.Add(row.Stream);
            Next(row);
        }
        rows.End();
        exported.End(rows.Chain.Last.Position);
        checkpoints.End();
        List<Finding> all =
        [
            .. rows.Findings, .. exported.Findings, .. others, .. checkpoints.Findings,
            .. await CompanionCheck.HeadAsync(connection, rows.Chain.Last, cancellationToken),
            .. await CompanionCheck.StreamsAsync(connection, rows.Chain.Versions, horizon is null ? null : sinceHorizon, rows.Ledger, cancellationToken),
        ];
        if (rows.Ledger is { } ledger)
        {
            all.AddRange(await CompanionCheck.LiveAllocationsAsync(connection, ledger, cancellationToken));
            all.AddRange(await readModels.CompareAsync(connection, cancellationToken));
        }
        all = [.. all.OrderBy(f => f.Position ?? long.MaxValue)];
        return new(
            read + count, rows.Chain.Last.Position, rows.Redecided, rows.NotRedecided, readModels.Position, exported.Count,
            Math.Min(exported.Last?.Position ?? 0, rows.Chain.Last.Position), keys is not null,
            [.. all.Take(VerifyReport.MostFindings)], Math.Max(0, all.Count - VerifyReport.MostFindings))
        {
            Horizon = horizon is null ? null : new(horizon.Position, horizon.At, horizon.File, kept.Count, archive is null ? null : read, exported.NotCompared),
        };

        Recorded? Next(LogRow row)
        {
            exported.Next(row);
            var e = rows.Next(row);
            if (e is not null && rows.Ledger is not null)
                readModels.Next(e);
            if (rows.Ledger is { } folded)
                checkpoints.Next(new(row.Position, row.Hash ?? ""), folded);
            return e;
        }
    }
}
