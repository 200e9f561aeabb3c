using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Domain.Ledger;
using Marten;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using NpgsqlTypes;

namespace Hami.Bench.History;

/// <summary>Writes a history into an empty database as the product would have written it: rows, hashes, streams, head, companions and checkpoints.</summary>
/// <param name="checkpointEvery">Events from one checkpoint to the next.</param>
internal sealed class LedgerFilling(NpgsqlDataSource database, IDocumentStore store, int checkpointEvery = LedgerFilling.CheckpointEvery)
{
    private const int CheckpointEvery = 20_000;
    private const int AtOnce = 500;
    private const int PagesAhead = 8;
    private const string Tenant = "*DEFAULT*";

    private readonly LogEntries _entries = new(store.Options.Serializer());
    private readonly Dictionary<string, (long Version, DateTimeOffset From, DateTimeOffset To)> _streams = new(StringComparer.Ordinal);
    private string _hash = EventHash.Genesis;

    /// <summary>Returns the number of events.</summary>
    public async Task<long> FillAsync(IEnumerable<Happening> history, CancellationToken ct)
    {
        await CreateAsync(ct);
        using var checkpoints = new Checkpoints(database, NullLogger<Checkpoints>.Instance);
        var (last, storing) = ((Happening?)null, Task.CompletedTask);
        await using var connection = await database.OpenConnectionAsync(ct);
        // Every event has its stream, which is written last: no need to look each of them up.
        await ExecuteAsync(connection, "set session_replication_role = replica", ct);
        await using (var copy = await connection.BeginBinaryImportAsync(
            $"copy {MartenSetup.Schema}.mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type, headers, is_archived) from stdin (format binary)", ct))
        {
            // Three at work: who simulates, who makes rows, and who writes them.
            var pages = history.ToAsyncEnumerable().Chunk(AtOnce).MadeAheadAsync(PagesAhead, ct).Select(page => page.Select(Row).ToList()).MadeAheadAsync(PagesAhead, ct);
            await foreach (var page in pages)
            {
                foreach (var row in page)
                    await WriteAsync(copy, row, ct);
                last = page[^1].Happening;
                foreach (var row in page.Where(r => r.Happening.After.EventCount % checkpointEvery == 0))
                {
                    await storing;
                    storing = checkpoints.StoreAsync(row.Happening.After, new(row.Happening.Event.Position, row.Entry.Hash), ct);
                }
            }
            await copy.CompleteAsync(ct);
        }
        await storing;
        if (last is null)
            return 0;
        await WriteStreamsAsync(connection, last.After, ct);
        await WriteLiveAsync(connection, last.After, ct);
        await using (var head = new NpgsqlCommand($"update {MartenSetup.Schema}.journal_head set position = $1, hash = $2, at = $3", connection))
        {
            foreach (var value in new object[] { last.Event.Position, _hash, last.Event.At })
                head.Parameters.Add(new() { Value = value });
            await head.ExecuteNonQueryAsync(ct);
        }
        await ExecuteAsync(
            connection,
            $"""
            select setval('{MartenSetup.Schema}.mt_events_sequence', {last.Event.Position});
            insert into {MartenSetup.Schema}.mt_event_progression (name, last_seq_id)
                values ('HighWaterMark', {last.Event.Position}), ('{ReadModelsProjection.Name}:All', {last.Event.Position}) on conflict (name) do update set last_seq_id = excluded.last_seq_id;
            set session_replication_role = origin;
            vacuum (analyze) {MartenSetup.Schema}.mt_events;
            vacuum (analyze) {MartenSetup.Schema}.mt_streams;
            """, ct);
        return last.After.EventCount;
    }

    /// <summary>Tables and indexes, as the journal makes them in an empty database.</summary>
    private async Task CreateAsync(CancellationToken ct)
    {
        using var checkpoints = new Checkpoints(database, NullLogger<Checkpoints>.Instance);
        using var journal = new Journal(store, database, new LiveAllocationTable(), checkpoints, [], TimeProvider.System, NullLogger<Journal>.Instance);
        await journal.StartAsync(ct);
        await journal.Loaded.WaitAsync(ct);
        await journal.StopAsync(ct);
        if (journal.Ledger.Position > 0)
            throw new InvalidOperationException("The database holds a log already.");
    }

    private StoredRow Row(Happening happening)
    {
        var e = happening.Event;
        // Who simulates does not know the chain.
        var entry = _entries.After(_hash, e.At, e.Stream, e.Event is NodeEvent.NodeCarriedForward carried ? carried with { PreviousHash = _hash } : e.Event);
        _hash = entry.Hash;
        var stream = _streams.GetValueOrDefault(e.Stream, (0, e.At, e.At));
        _streams[e.Stream] = (stream.Version + 1, stream.From, e.At);
        return new(happening, stream.Version + 1, entry, entry.Headers);
    }

    private static async Task WriteAsync(NpgsqlBinaryImporter copy, StoredRow row, CancellationToken ct)
    {
        var e = row.Happening.Event;
        await copy.StartRowAsync(ct);
        await copy.WriteAsync(e.Position, NpgsqlDbType.Bigint, ct);
        // Any will do that no other has.
        await copy.WriteAsync(new Guid((int)e.Position, (short)(e.Position >> 32), 0x4000, [0x80, 0, 0, 0, 0, 0, 0, 0]), NpgsqlDbType.Uuid, ct);
        await copy.WriteAsync(e.Stream, NpgsqlDbType.Varchar, ct);
        await copy.WriteAsync(row.Version, NpgsqlDbType.Bigint, ct);
        await copy.WriteAsync(row.Entry.Json, NpgsqlDbType.Jsonb, ct);
        await copy.WriteAsync(row.Entry.Type, NpgsqlDbType.Varchar, ct);
        await copy.WriteAsync(e.At, NpgsqlDbType.TimestampTz, ct);
        await copy.WriteAsync(Tenant, NpgsqlDbType.Varchar, ct);
        await copy.WriteAsync(row.Entry.DotNetType, NpgsqlDbType.Varchar, ct);
        await copy.WriteAsync(row.Headers, NpgsqlDbType.Jsonb, ct);
        await copy.WriteAsync(false, NpgsqlDbType.Boolean, ct);
    }

    private async Task WriteStreamsAsync(NpgsqlConnection connection, ClusterLedger ledger, CancellationToken ct)
    {
        await using var copy = await connection.BeginBinaryImportAsync(
            $"copy {MartenSetup.Schema}.mt_streams (id, version, created, timestamp, tenant_id, is_archived) from stdin (format binary)", ct);
        foreach (var (id, stream) in _streams)
        {
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(id, NpgsqlDbType.Varchar, ct);
            await copy.WriteAsync(stream.Version, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(stream.From, NpgsqlDbType.TimestampTz, ct);
            await copy.WriteAsync(stream.To, NpgsqlDbType.TimestampTz, ct);
            await copy.WriteAsync(Tenant, NpgsqlDbType.Varchar, ct);
            // Closed when another goes on from it.
            await copy.WriteAsync(ledger.Current(id) != id, NpgsqlDbType.Boolean, ct);
        }
        await copy.CompleteAsync(ct);
    }

    private static async Task WriteLiveAsync(NpgsqlConnection connection, ClusterLedger ledger, CancellationToken ct)
    {
        await using var copy = await connection.BeginBinaryImportAsync(
            $"copy {MartenSetup.Schema}.live_allocation (pod_uid, node, namespace, memory_mib, cores) from stdin (format binary)", ct);
        foreach (var (node, allocation) in ledger.Nodes.SelectMany(n => n.Value.Allocations.Values.Select(a => (n.Key, a))))
        {
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(allocation.PodUid, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(node, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(allocation.Namespace, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(allocation.Use.MemoryMiB, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync((int)allocation.Use.Cores, NpgsqlDbType.Integer, ct);
        }
        await copy.CompleteAsync(ct);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        // One by one: vacuum stands in no transaction.
        foreach (var statement in sql.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            await using var command = new NpgsqlCommand(statement, connection) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(ct);
        }
    }

    private sealed record StoredRow(Happening Happening, long Version, LogEntry Entry, string Headers);
}
