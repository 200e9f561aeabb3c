using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Registering;
using Hami.Domain.Releasing;
using Hami.Tests.Given;
using Npgsql;

namespace Hami.Tests.Ledger;

public sealed class WritingTheJournal
{
    private const string Node = "node-1";

    [Fact]
    [Trait("Hami", "case 89")]
    [Trait("Scoreboard", "H09")]
    public async Task A_second_process_folds_the_same_state_from_the_log()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var first = await TestJournal.StartAsync(connection);
        await Register(first, slots: 10);
        await Place(first, "pod-1");
        await Place(first, "pod-2");
        await Release(first, "pod-1");

        await using var second = await TestJournal.StartAsync(connection);

        Assert.Equal(first.Journal.Ledger.Position, second.Journal.Ledger.Position);
        Assert.Equal(["pod-2"], second.Journal.Ledger.LiveByPod.Keys);
        Assert.Equal(first.Journal.Ledger.EventCount, second.Journal.Ledger.EventCount);
    }

    [Fact]
    public async Task A_node_that_left_is_forgotten_and_goes_on_in_its_stream_when_it_returns()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var first = await TestJournal.StartAsync(connection);
        await Register(first, slots: 10);
        await Place(first, "pod-1");
        await first.Journal.DecideAsync(Streams.Node(Node), ledger => RemoveNodeDecider.Decide(new(Node, "it left"), ledger.Node(Node)));
        Assert.Contains(Node, first.Journal.Ledger.Nodes.Keys);
        await Release(first, "pod-1");
        Assert.Empty(first.Journal.Ledger.Nodes);

        await using var second = await TestJournal.StartAsync(connection);
        Assert.Empty(second.Journal.Ledger.Nodes);
        await Register(second, slots: 5);
        await Place(second, "pod-2");

        Assert.Equal(6, await Scalar(first.Database, $"select version from hami.mt_streams where id = '{Streams.Node(Node)}'"));
        Assert.Equal("1 2 3 4 5 6", await Text(first.Database, "select string_agg(version::text, ' ' order by seq_id) from hami.mt_events"));
        await using var third = await TestJournal.StartAsync(connection);
        Assert.Equal(["pod-2"], third.Journal.Ledger.LiveByPod.Keys);
        Assert.Equal(5, Assert.Single(third.Journal.Ledger.Node(Node).Cards).Slots);
    }

    [Fact]
    [Trait("Hami", "case 89")]
    public async Task Two_processes_asked_at_once_for_the_last_slots_never_give_one_twice()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var one = await TestJournal.StartAsync(connection);
        await using var other = await TestJournal.StartAsync(connection);
        await Register(one, slots: 10);

        var verdicts = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Place(i % 2 == 0 ? one : other, $"pod-{i / 2}")));

        Assert.Equal(10, verdicts.Sum(v => v.Events.Count));
        Assert.All(verdicts.Where(v => v.Events.Count == 0 && v.Refusal is not null), v => Assert.Equal(PlaceAllocationDecider.NodeUnfitPod, v.Refusal!.Reason));
        Assert.Equal(10, await Scalar(one.Database, "select count(*) from hami.live_allocation"));
        Assert.Equal(10, await Scalar(one.Database, "select count(distinct data->>'podUid') from hami.mt_events where type = 'allocation_placed'"));
    }

    [Fact]
    public async Task The_append_is_planned_once_for_a_connection()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await Register(journal, slots: 100);
        for (var i = 0; i < 20; i++)
            await Place(journal, $"pod-{i}");

        var plans = new List<(long Generic, long Custom)>();
        // One of the idle connections is the journal's.
        var connections = await Task.WhenAll(Enumerable.Range(0, 5).Select(async _ => await journal.Database.OpenConnectionAsync()));
        foreach (var connection in connections)
        {
            await using (connection)
            await using (var command = new NpgsqlCommand("select generic_plans, custom_plans from pg_prepared_statements where statement like '%insert into hami.mt_events %'", connection))
            {
                await using var rows = await command.ExecuteReaderAsync();
                while (await rows.ReadAsync())
                    plans.Add((rows.GetInt64(0), rows.GetInt64(1)));
            }
        }
        Assert.True(plans.Sum(p => p.Generic) >= 21, string.Join(" ", plans));
        Assert.Equal(0, plans.Sum(p => p.Custom));
    }

    [Fact]
    public async Task The_chain_of_hashes_follows_the_order_of_the_log()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var journal = await TestJournal.StartAsync(connection);
        await Task.WhenAll(Enumerable.Range(0, 5).Select(i => Register(journal, slots: 10, node: $"node-{i}")));
        await Task.WhenAll(Enumerable.Range(0, 60).Select(i => Place(journal, $"pod-{i}", $"node-{i % 5}")));
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Release(journal, $"pod-{i}", $"node-{i % 5}")));

        var previous = EventHash.Genesis;
        var last = DateTimeOffset.MinValue;
        var count = 0;
        await using var command = journal.Database.CreateCommand(
            "select stream_id, type, data, timestamp, headers->>'hash' from hami.mt_events order by seq_id");
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            using var body = JsonDocument.Parse(rows.GetString(2));
            var at = rows.GetFieldValue<DateTimeOffset>(3);
            Assert.True(at >= last, "time went backwards in the log");
            Assert.Equal(EventHash.Of(previous, at, rows.GetString(0), rows.GetString(1), body.RootElement), rows.GetString(4));
            (previous, last, count) = (rows.GetString(4), at, count + 1);
        }
        Assert.Equal(journal.Journal.Ledger.EventCount, count);
        Assert.True(count > 50, $"only {count} events were written");
    }

    [Fact]
    public async Task Every_event_of_an_allocation_carries_its_id_beside_its_body()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await Register(journal, slots: 10);
        await Place(journal, "pod-1");
        await Release(journal, "pod-1");

        Assert.Equal(1, await Scalar(journal.Database, "select count(distinct headers->>'allocationId') from hami.mt_events where type like 'allocation_%'"));
        Assert.Equal(2, await Scalar(journal.Database, "select count(*) from hami.mt_events where headers->>'allocationId' = data->>'allocationId'"));
    }

    [Fact]
    public async Task What_the_database_cannot_store_fails_alone_and_leaves_the_journal_writable()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await Register(journal, slots: 10);
        var hostile = Asks.Place(Asks.Pod("hostile", wish: CardWish.Any with { AvoidTypes = ["\0"] }), Node);
        var text = Asks.Place(Asks.Pod("text", wish: CardWish.Any with { AvoidTypes = [@"\u0000", @"\"] }), Node);

        var fails = journal.Journal.DecideAsync(Streams.Node(Node), ledger => PlaceAllocationDecider.Decide(hostile, ledger));
        var beside = await Task.WhenAll(
            Place(journal, "pod-1"), journal.Journal.DecideAsync(Streams.Node(Node), ledger => PlaceAllocationDecider.Decide(text, ledger)), Place(journal, "pod-2"));

        Assert.Contains("NUL", (await Assert.ThrowsAsync<InvalidOperationException>(() => fails)).Message, StringComparison.Ordinal);
        Assert.All(beside, v => Assert.Single(v.Events));
        Assert.True(journal.Journal.IsWritable);
        Assert.Equal(["pod-1", "pod-2", "text"], journal.Journal.Ledger.LiveByPod.Keys.Order(StringComparer.Ordinal));
    }

    private static Task<Verdict<NodeEvent>> Register(TestJournal journal, int slots, string node = Node) => journal.Journal.DecideAsync<NodeEvent>(
        Streams.Node(node), _ => new NodeEvent.DevicesRegistered(node, [Asks.Card($"GPU-{node}", slots: slots)]));

    private static Task<Verdict<NodeEvent>> Place(TestJournal journal, string pod, string node = Node)
    {
        var command = Asks.Place(Asks.Pod(pod), node);
        return journal.Journal.DecideAsync(Streams.Node(node), ledger => PlaceAllocationDecider.Decide(command, ledger));
    }

    private static Task<Verdict<NodeEvent>> Release(TestJournal journal, string pod, string node = Node) => journal.Journal.DecideAsync(
        Streams.Node(node),
        ledger => ledger.AllocationOf(pod) is { } held
            ? ReleaseAllocationDecider.Decide(new(pod, held.Id, ReleaseReason.Deleted), ledger)
            : Verdict<NodeEvent>.Nothing);

    private static async Task<string> Text(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private static async Task<long> Scalar(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
