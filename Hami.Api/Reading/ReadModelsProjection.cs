using System.Data;
using Hami.Domain.Reading;
using JasperFx.Events;
using Marten;
using Marten.Events.Projections;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Feeds all read models from one pass over the log; a page of events and the rows it changes are one transaction.</summary>
/// <remarks>
/// What can still change is kept from page to page and read again whenever the tables are not where it thinks: after a page that was rolled
/// back, after another process took over and came back, and after a rebuilt generation was put in force.
/// </remarks>
internal sealed class ReadModelsProjection : IProjection
{
    /// <summary>Under this name the daemon keeps how far it has come.</summary>
    public const string Name = "read_models";

    private Folded? _folded;

    public async Task ApplyAsync(IDocumentOperations operations, IReadOnlyList<IEvent> events, CancellationToken cancellation)
    {
        // Taken away while it is used, so that it is lost with a page that fails.
        var folded = await CurrentAsync(Interlocked.Exchange(ref _folded, null), operations, cancellation);
        var (models, head) = folded;
        // A rebuilt generation may be ahead of the daemon.
        List<IEvent> ahead = [.. events.Where(e => e.Sequence > head.Position)];
        if (ahead.Count > 0)
        {
            foreach (var e in ahead)
                models.Apply(e.Sequence, e.Timestamp, e.StreamKey!, e.Data);
            var after = head with { Position = ahead[^1].Sequence };
            operations.QueueSqlCommand(ReadSql.Advance("?", "?", "?"), head.Generation, head.Position, after.Position);
            foreach (var (sql, json) in ReadSql.Write(models.TakeChanges(), head.Generation, "?"))
                operations.QueueSqlCommand(sql, json);
            folded = folded with { Head = after };
        }
        Volatile.Write(ref _folded, folded);
    }

    private static async Task<Folded> CurrentAsync(Folded? folded, IDocumentOperations operations, CancellationToken cancellationToken)
    {
        await using var connection = operations.Database.CreateConnection();
        await connection.OpenAsync(cancellationToken);
        // One snapshot: the rows are those of the position.
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var head = await ReadRows.HeadAsync(connection, locked: false, cancellationToken)
            ?? throw new InvalidOperationException("There are no read models yet; they are made before the projections start.");
        if (head.Shape != ReadTables.Shape)
        {
            throw new InvalidOperationException(
                $"The read models in force have shape {head.Shape}, this process writes shape {ReadTables.Shape}: end it, or rebuild them with it.");
        }
        return folded?.Head == head ? folded : new(new ReadModels(await ReadRows.OpenAsync(connection, head.Generation, cancellationToken)), head);
    }

    private sealed record Folded(ReadModels Models, ReadHead Head);
}
