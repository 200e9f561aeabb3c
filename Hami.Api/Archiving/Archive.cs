using System.Diagnostics;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Reading;
using Hami.Domain.Replaying;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Api.Archiving;

/// <summary>History was not archived, or not put back, and nothing was deleted.</summary>
internal sealed class NotArchivedException(string message) : Exception(message);

/// <summary>What was archived.</summary>
/// <param name="First">First event of the file.</param>
/// <param name="Last">The last one: the horizon.</param>
/// <param name="At">Its time.</param>
/// <param name="Kept">Rows up to it that stay in the database: they tell of pods that hold cards there or wait, and what follows is chained to the last.</param>
/// <param name="Deleted">Rows that left the database.</param>
/// <param name="Forgotten">Streams of pods that ended whose numbers need not be kept any more.</param>
/// <param name="LeftOver">Files of runs that were ended before they came to their end; they can be deleted.</param>
internal sealed record ArchiveReport(
    long First, long Last, DateTimeOffset At, long Events, string File, string Sha256, long Kept, long Deleted, long Forgotten, IReadOnlyList<string> LeftOver, double Seconds);

/// <summary>Moves history that has ended out of the database into a file.</summary>
/// <remarks>
/// First the file, then everything in the database in one transaction: a run that is killed leaves nothing, or a file that the next run with the
/// same end finds. The control plane goes on meanwhile: it writes none of the rows that are touched.
/// </remarks>
internal sealed class Archive(NpgsqlDataSource database, StoredEvents events, TimeProvider time)
{
    private const int PageSize = 20_000;
    private const int MostNamed = 5;
    private const int ForgottenAtOnce = 500;

    /// <summary>A pod that nothing was heard of for so long has ended, and its UID comes never again.</summary>
    private static readonly TimeSpan Rests = TimeSpan.FromDays(1);

    /// <summary>Archives what happened up to a moment.</summary>
    /// <exception cref="NotArchivedException">There is nothing to archive, or it must not be.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public async Task<ArchiveReport> RunAsync(DateTimeOffset before, string folder, CancellationToken cancellationToken)
    {
        var begin = Stopwatch.GetTimestamp();
        if (!Directory.Exists(folder))
            throw new NotArchivedException($"The folder {folder} is not there: make it, or give another with --to.");
        await using var turn = await BuildersTurn.TakeAsync(database, cancellationToken);
        var connection = turn.Connection;
        // A database that no process of this version has served yet.
        await Pruning.ExecuteAsync(connection, Horizon.Create, cancellationToken);
        var files = await Horizon.AllAsync(connection, cancellationToken);
        var former = await Horizon.ReadAsync(connection, cancellationToken);
        if (files.Count > 0 && former != files[^1])
            throw new NotArchivedException("History is being put back: call hami-api archive --restore again until it is done.");
        var last = await LastAsync(connection, before, former, cancellationToken);

        var (start, rows) = await BaseRows.BeginAsync(connection, cancellationToken);
        var ledger = former is null ? ClusterLedger.Empty
            : (await CheckpointCheck.ReadAsync(connection, cancellationToken)).Open(former.Place) ?? throw former.WithoutCheckpoint();
        var (check, kept, fold) = (new RowCheck(events, start, ledger), new KeptRows(), new BaseFold(rows));
        await foreach (var row in StoredRow.ReadAsync(connection, 0, start.Position, cancellationToken))
            kept.Next(events.Read(row.Log));

        using var file = ArchiveFile.Create(folder, ArchiveFile.NameOf(start.Position + 1, last));
        var count = 0L;
        // Page by page: a statement that ran for minutes would keep PostgreSQL from tidying up behind the journal.
        for (var from = start.Position; from < last; from = Math.Min(from + PageSize, last))
        {
            await foreach (var row in StoredRow.ReadAsync(connection, from, Math.Min(from + PageSize, last), cancellationToken))
            {
                count++;
                file.Write(row);
                if (check.Next(row.Log) is not { } e || !check.IsIntact)
                    continue;
                kept.Next(e);
                fold.Next(e);
            }
        }
        check.End();
        if (!check.IsIntact)
            throw new NotArchivedException(NotIntact(check.Findings));

        var sha256 = await file.EndAsync(cancellationToken);
        var horizon = new Horizon(start.Position + 1, last, check.Chain.Last.Hash, fold.At, count, ArchiveFile.NameOf(start.Position + 1, last), sha256, ReadTables.Shape);
        ArchiveFile.Describe(folder, horizon);
        using (var checkpoints = new Checkpoints(database, NullLogger<Checkpoints>.Instance))
            await checkpoints.StoreAsync(check.Ledger!, horizon.Place, cancellationToken);
        await fold.ToRows().WriteAsync(connection, cancellationToken);
        IReadOnlyList<long> stay = [.. kept.Cut(check.Ledger!).Where(p => p < last)];
        var deleted = await Pruning.CutAsync(connection, horizon, stay, time.GetUtcNow(), cancellationToken);
        var forgotten = time.GetUtcNow() - horizon.At >= Rests ? await Pruning.ForgetStreamsAsync(connection, ForgottenAtOnce, cancellationToken) : 0;
        return new(
            horizon.First, last, horizon.At, count, horizon.File, sha256, stay.Count + 1, deleted, forgotten, ArchiveFile.LeftOver(folder, [.. files, horizon]),
            Stopwatch.GetElapsedTime(begin).TotalSeconds);
    }

    /// <summary>The last event to be archived.</summary>
    private static async Task<long> LastAsync(NpgsqlConnection connection, DateTimeOffset before, Horizon? former, CancellationToken cancellationToken)
    {
        if (await JournalHeads.ReadAsync(connection, cancellationToken) is not { } head)
            throw new NotArchivedException("The log is empty: there is nothing to archive.");
        // The last commit stays: only when an event is later is it sure that no other comes at the same time.
        var at = before < head.At ? before : head.At.AddMicroseconds(-1);
        var last = await LogRows.PositionAtAsync(connection, at, cancellationToken);
        var from = former?.Position ?? 0;
        if (last <= from)
            throw new NotArchivedException(former is null
                ? $"There is nothing to archive: no event is older than {before.UtcDateTime:yyyy-MM-dd HH:mm:ss'Z'}, or it is the last."
                : $"There is nothing to archive: no event after the horizon, event {from} of {former.At.UtcDateTime:yyyy-MM-dd HH:mm:ss'Z'}, is older than {before.UtcDateTime:yyyy-MM-dd HH:mm:ss'Z'}, or it is the last.");
        var folded = await LogRows.IndexedToAsync(connection, cancellationToken);
        return folded >= last ? last
            : throw new NotArchivedException($"The read models have folded the log up to event {folded} only, and event {last} is to be archived: wait until they have caught up while hami-api serve runs, or archive what is older.");
    }

    private static string NotIntact(IReadOnlyList<Finding> findings) =>
        $"The log is not intact, so nothing was archived; see hami-api audit verify. {findings.Count} {(findings.Count == 1 ? "finding" : "findings")}: "
        + string.Join("; ", findings.Take(MostNamed).Select(f => $"event {f.Position}: {f.What}")) + (findings.Count > MostNamed ? "; and more" : "");
}
