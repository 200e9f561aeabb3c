using System.Diagnostics;
using System.Runtime.CompilerServices;
using Hami.Api.Archiving;
using Hami.Api.Plumbing;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Reading;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Read models that were built and are in force.</summary>
/// <param name="Position">How far they have folded the log.</param>
internal sealed record BuiltReadModels(int Generation, long Events, long Position, double Seconds);

/// <summary>Folds the whole log into a new generation of the read models, beside the one in force, and swaps them.</summary>
/// <param name="eventsAtOnce">Events that are folded before their rows are looked at.</param>
/// <param name="rowsAtOnce">Rows of a new generation that are written together.</param>
internal sealed partial class ReadModelsBuild(
    NpgsqlDataSource database, StoredEvents events, ILogger<ReadModelsBuild> logger, int eventsAtOnce = 1000, int rowsAtOnce = 20_000)
{
    private const int PagesAhead = 4;

    /// <summary>Builds unless read models of this program's shape are in force; those who read meanwhile find the earlier ones, or empty tables.</summary>
    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        await using var turn = await BuildersTurn.TakeAsync(database, cancellationToken);
        var connection = turn.Connection;
        await PrepareAsync(connection, cancellationToken);
        var head = await ReadRows.HeadAsync(connection, locked: false, cancellationToken) ?? await PutEmptyInForceAsync(connection, cancellationToken);
        if (head.Shape < ReadTables.Shape || (head.Position == 0 && await JournalHeads.ReadAsync(connection, cancellationToken) is not null))
            await BuildAsync(connection, isFirst: head.Position == 0, cancellationToken);
    }

    /// <summary>Builds, and puts in force, read models made from nothing but the log.</summary>
    public async Task<BuiltReadModels> RebuildAsync(CancellationToken cancellationToken)
    {
        await using var turn = await BuildersTurn.TakeAsync(database, cancellationToken);
        await PrepareAsync(turn.Connection, cancellationToken);
        return await BuildAsync(turn.Connection, isFirst: false, cancellationToken);
    }

    private async Task PrepareAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await ExecuteAsync(connection, ReadSql.CreateHead, cancellationToken);
        if (await ForeignReadModels.ForgetAsync(connection, cancellationToken))
            LogForeign(logger);
    }

    private async Task<ReadHead> PutEmptyInForceAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        const int First = 1;
        await ExecuteAsync(connection, ReadSql.CreateTables(First), cancellationToken);
        await ExecuteAsync(connection, ReadSql.CreateIndexes(First), cancellationToken);
        await SwapAsync(connection, new(new ReadModels(OpenRows.None), First, LogPlace.Beginning, 0), isFirst: false, cancellationToken);
        return new(First, ReadTables.Shape, 0);
    }

    private async Task<BuiltReadModels> BuildAsync(NpgsqlConnection connection, bool isFirst, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var before = await ReadRows.HeadAsync(connection, locked: false, cancellationToken);
        var generation = (before?.Generation ?? 0) + 1;
        await ExecuteAsync(connection, ReadSql.CreateTables(generation), cancellationToken);
        // At the log's horizon, with the rows of then.
        var (begin, rows) = await BaseRows.BeginAsync(connection, cancellationToken);
        var pass = new Pass(new ReadModels(rows.Open), generation, begin, 0);
        var copy = new ReadCopy(connection, generation, rowsAtOnce);
        await copy.AddAsync(rows.ToChanges(), cancellationToken);
        pass = await FoldAsync(pass, changes => copy.AddAsync(changes, cancellationToken), cancellationToken);
        await copy.EndAsync(cancellationToken);
        await ExecuteAsync(connection, ReadSql.CreateIndexes(generation), cancellationToken);
        pass = await FoldOnAsync(connection, pass, cancellationToken);
        pass = await SwapAsync(connection, pass, isFirst, cancellationToken);
        if (before is not null)
            await DropAsync(connection, before.Generation, cancellationToken);
        var built = new BuiltReadModels(generation, pass.Events, pass.Place.Position, Stopwatch.GetElapsedTime(start).TotalSeconds);
        LogBuilt(logger, built.Generation, built.Events, built.Seconds);
        return built;
    }

    /// <summary>Nobody writes the generation in force from the first statement on, so none of what it has folded can be missed.</summary>
    private async Task<Pass> SwapAsync(NpgsqlConnection connection, Pass pass, bool isFirst, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var inForce = await ReadRows.HeadAsync(connection, locked: true, cancellationToken);
        // What the builder's last look at the log was too early for.
        if (pass.Place.Position < inForce?.Position)
            pass = await FoldOnAsync(connection, pass, cancellationToken);
        if (pass.Place.Position < inForce?.Position)
            throw new InvalidOperationException($"The log ends before position {inForce.Position}, which the read models in force have folded.");
        await ExecuteAsync(connection, ReadSql.Show(pass.Generation), cancellationToken);
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new($"insert into {ReadTables.Head} (generation, shape, position, hash) values ($1, $2, $3, {ReadSql.HashAt("$3")}) on conflict (id) do update set generation = $1, shape = $2, position = $3, hash = excluded.hash")
                {
                    Parameters = { new() { Value = pass.Generation }, new() { Value = ReadTables.Shape }, new() { Value = pass.Place.Position } },
                },
            },
        };
        if (isFirst)
        {
            // The daemon has not begun: it need not look at what is folded. One that is on its way skips it.
            batch.BatchCommands.Add(new($"insert into {MartenSetup.Schema}.mt_event_progression (name, last_seq_id) values ($1, $2) on conflict do nothing")
            {
                Parameters = { new() { Value = $"{ReadModelsProjection.Name}:All" }, new() { Value = pass.Place.Position } },
            });
        }
        await batch.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return pass;
    }

    /// <summary>Folds to the end of the log what came after the rows were written.</summary>
    private Task<Pass> FoldOnAsync(NpgsqlConnection connection, Pass pass, CancellationToken cancellationToken) => FoldAsync(
        pass,
        async changes =>
        {
            await using var batch = new NpgsqlBatch(connection) { Timeout = 0 };
            foreach (var (sql, json) in ReadSql.Write(changes, pass.Generation, "$1"))
                batch.BatchCommands.Add(new(sql) { Parameters = { new() { Value = json } } });
            if (batch.BatchCommands.Count > 0)
                await batch.ExecuteNonQueryAsync(cancellationToken);
        },
        cancellationToken);

    private async Task<Pass> FoldAsync(Pass pass, Func<ReadChanges, Task> write, CancellationToken cancellationToken)
    {
        await foreach (var page in ReadOnAsync(pass.Place, cancellationToken).Chunk(eventsAtOnce).MadeAheadAsync(PagesAhead, cancellationToken))
        {
            foreach (var (e, _) in page)
                pass.Models.Apply(e.Position, e.At, e.Stream, e.Event);
            await write(pass.Models.TakeChanges());
            pass = pass with { Place = page[^1].Place, Events = pass.Events + page.Length };
        }
        return pass;
    }

    /// <summary>The log from a place to where it ends now.</summary>
    private async IAsyncEnumerable<(Recorded Event, LogPlace Place)> ReadOnAsync(LogPlace from, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var isThere = from == LogPlace.Beginning;
        await foreach (var row in LogRows.ReadAsync(connection, from.Position - 1, long.MaxValue, cancellationToken))
        {
            var place = new LogPlace(row.Position, row.Hash ?? "");
            if (isThere)
                yield return (events.Read(row), place);
            // The event at the place is read once more: were it another, what follows would not fit what was folded.
            else if (place == from)
                isThere = true;
            else
                break;
        }
        if (!isThere)
            throw new AnotherLogException(from.Position);
    }

    /// <summary>Table by table: who holds the lock of one while waiting for another can meet a reader who does so the other way round.</summary>
    private static async Task DropAsync(NpgsqlConnection connection, int generation, CancellationToken cancellationToken)
    {
        var schema = ReadTables.SchemaOf(generation);
        foreach (var table in ReadTables.All)
            await ExecuteAsync(connection, $"drop table if exists {schema}.{table.Name} cascade", cancellationToken);
        await ExecuteAsync(connection, $"drop schema if exists {schema} cascade", cancellationToken);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>How far a build has come.</summary>
    private sealed record Pass(ReadModels Models, int Generation, LogPlace Place, long Events);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The read models in force are of another log than the one in PostgreSQL; they are built anew.")]
    private static partial void LogForeign(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Generation {Generation} of the read models is in force: {Events} events folded in {Seconds:F1} s.")]
    private static partial void LogBuilt(ILogger logger, int generation, long events, double seconds);
}
