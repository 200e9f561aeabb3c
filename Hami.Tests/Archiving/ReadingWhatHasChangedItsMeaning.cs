using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Tests.Given;
using Marten;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Archiving;

/// <summary>An event whose meaning has changed is stored as it was and read as today's, by Marten and by ourselves.</summary>
public sealed class ReadingWhatHasChangedItsMeaning
{
    // Only here: cards were once fenced off by their place on the node, and the body had another shape.
    private static readonly EventTypes Types = EventTypes.Today.With("device_fenced", body => new NodeEvent.DeviceCordoned($"GPU-{body.GetProperty("node").GetString()}-{body.GetProperty("index").GetInt32()}"));

    [Fact]
    public async Task One_table_lifts_it_for_the_fold_the_projection_and_the_verification()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await StoreAsync(connection, "device_fenced", """{"node": "n1", "index": 0}""");

        using var store = DocumentStore.For(options => MartenSetup.Configure(options, connection, Types));
        await using var database = Npgsql.NpgsqlDataSource.Create(connection);
        var events = new StoredEvents(Types);
        await new ReadModelsBuild(database, events, NullLogger<ReadModelsBuild>.Instance).EnsureAsync(CancellationToken.None);

        await using (var session = store.QuerySession())
        {
            var byMarten = (await LogReader.ReadOnAsync(session, LogPlace.Beginning, 100, CancellationToken.None)).Events;
            Assert.Equal(new NodeEvent.DeviceCordoned("GPU-n1-0"), byMarten[^1].Event);
        }
        using var checkpoints = new Checkpoints(database, NullLogger<Checkpoints>.Instance);
        var ledger = await new LedgerHistory(database, events, new KeptCheckpoints(checkpoints)).AtAsync(2, CancellationToken.None);
        Assert.Equal(["GPU-n1-0"], ledger.Node("n1").Cordoned);
        // The daemon reads through Marten.
        await using (var command = database.CreateCommand("update hami.read_models set position = 0; delete from hami_read_2.device; delete from hami_read_2.node; delete from hami.mt_event_progression"))
            await command.ExecuteNonQueryAsync();
        using (var daemon = await store.BuildProjectionDaemonAsync())
        {
            await daemon.StartAllAsync();
            await ControlPlaneScene.UntilAsync(
                async () =>
                {
                    await using var command = database.CreateCommand("select count(*) from hami_read.device where cordoned_at is not null");
                    return (long)(await command.ExecuteScalarAsync())! == 1;
                },
                () => "the card is not cordoned in the read models");
            await daemon.StopAllAsync();
        }
        // The hash is over what is stored.
        Assert.Equal([], (await new LogVerification(database, events).RunAsync([], null, CancellationToken.None)).Findings.Select(f => f.What));
    }

    [Fact]
    public async Task What_nobody_can_read_stops_everything_and_is_named()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await StoreAsync(connection, "device_fenced", """{"node": "n1", "index": 0}""");
        await using var database = Npgsql.NpgsqlDataSource.Create(connection);

        var events = new StoredEvents();
        using var checkpoints = new Checkpoints(database, NullLogger<Checkpoints>.Instance);
        var replay = await Assert.ThrowsAsync<UnreadableEventException>(() => new LedgerHistory(database, events, new KeptCheckpoints(checkpoints)).AtAsync(2, CancellationToken.None));
        Assert.Equal("event 2 of the log cannot be read: no event is stored under the name device_fenced", replay.Message);
        using var store = DocumentStore.For(options => MartenSetup.Configure(options, connection));
        await using var session = store.QuerySession();
        var load = await Assert.ThrowsAsync<UnreadableEventException>(() => LogReader.ReadOnAsync(session, LogPlace.Beginning, 100, CancellationToken.None));
        Assert.Equal(replay.Message, load.Message);
        var build = await Assert.ThrowsAsync<UnreadableEventException>(() => new ReadModelsBuild(database, events, NullLogger<ReadModelsBuild>.Instance).RebuildAsync(CancellationToken.None));
        Assert.Equal(replay.Message, build.Message);
        Assert.Contains((await new LogVerification(database, events).RunAsync([], null, CancellationToken.None)).Findings, f => f is { Position: 2, What: "it cannot be read: no event is stored under the name device_fenced" });
    }

    /// <summary>As a program of then has stored it: a card, and one event more, chained to it.</summary>
    private static async Task StoreAsync(string connection, string type, string body)
    {
        await using var journal = await TestJournal.StartAsync(connection);
        await journal.Journal.DecideAsync<NodeEvent>(Streams.Node("n1"), _ => new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-n1-0")]));
        var head = (await JournalHeads.ReadAsync(journal.Database, CancellationToken.None))!;
        using var json = System.Text.Json.JsonDocument.Parse(body);
        var hash = EventHash.Of(head.Hash, head.At, Streams.Node("n1"), type, json.RootElement);
        await using var command = journal.Database.CreateCommand(
            $"""
            insert into hami.mt_events (seq_id, id, stream_id, version, data, type, timestamp, mt_dotnet_type, headers)
            select 2, gen_random_uuid(), stream_id, version + 1, '{body}', '{type}', timestamp, 'An.Earlier.Event, hami', '{"{"}"hash": "{hash}"{"}"}' from hami.mt_events;
            update hami.mt_streams set version = 2;
            update hami.journal_head set position = 2, hash = '{hash}';
            select setval('hami.mt_events_sequence', 2);
            """);
        await command.ExecuteNonQueryAsync();
    }
}
