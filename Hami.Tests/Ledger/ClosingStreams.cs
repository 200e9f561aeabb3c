using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Registering;
using Hami.Domain.Replaying;
using Hami.Tests.Given;
using Npgsql;
using static Hami.Domain.Ledger.NodeEvent;

namespace Hami.Tests.Ledger;

/// <summary>No stream of a node grows for ever: the next one begins with what was true.</summary>
public sealed class ClosingStreams
{
    private const string Node = "n1";

    [Fact]
    public async Task A_long_stream_is_closed_and_the_next_begins_with_its_state_also_for_who_starts_then_and_for_a_node_that_returns()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var first = await TestJournal.StartAsync(connection, longestEpoch: 4);
        await Register(first);
        await Place(first, "p1");
        await first.Journal.DecideAsync<NodeEvent>(Streams.Node(Node), _ => new DeviceCordoned("GPU-n1-b"));
        await Place(first, "p2");
        await Place(first, "p3");

        Assert.Equal(
            ["node/n1/0 devices_registered 1", "node/n1/0 allocation_placed 2", "node/n1/0 device_cordoned 3", "node/n1/0 allocation_placed 4", "node/n1/1 node_carried_forward 1", "node/n1/1 allocation_placed 2"],
            await Rows(first.Database, "select stream_id || ' ' || type || ' ' || version from hami.mt_events order by seq_id"));
        Assert.Equal(["node/n1/0 4 true", "node/n1/1 2 false"], await Rows(first.Database, "select id || ' ' || version || ' ' || is_archived from hami.mt_streams order by id"));

        // From the last stream alone, which needs none before it, follows what follows from the whole log.
        await using var second = await TestJournal.StartAsync(connection, longestEpoch: 4);
        var events = await second.Store.QuerySession().Events.FetchStreamAsync("node/n1/1");
        var alone = events.Aggregate(NodeLedger.Empty, (node, e) => NodeLedger.Evolve(node, (NodeEvent)e.Data));
        Assert.Equal(Text(first.Journal.Ledger.Node(Node)), Text(alone));
        Assert.Equal(Text(first.Journal.Ledger.Node(Node)), Text(second.Journal.Ledger.Node(Node)));

        foreach (var pod in (string[])["p1", "p2", "p3"])
            await second.Journal.DecideAsync<NodeEvent>(Streams.Node(Node), l => new AllocationReleased(l.LiveByPod[pod].Id, pod, ReleaseReason.Deleted));
        await second.Journal.DecideAsync(Streams.Node(Node), l => RemoveNodeDecider.Decide(new(Node, "it left"), l.Node(Node)));
        Assert.Empty(second.Journal.Ledger.Nodes);
        await Register(second);

        Assert.Equal(["node/n1/2 node_removed 3", "node/n1/2 devices_registered 4"], (await Rows(first.Database, "select stream_id || ' ' || type || ' ' || version from hami.mt_events order by seq_id")).TakeLast(2));
    }

    [Theory]
    [InlineData(2, "p1", "it begins epoch 2, which is not the next")]
    [InlineData(1, "other", "the state it carries forward is not what the log folds to")]
    [InlineData(1, "p1", null)]
    public void A_verification_compares_what_is_carried_forward_with_the_fold(int epoch, string pod, string? finding)
    {
        var check = new LogCheck();
        check.Next(At(1, Streams.Node(Node), new DevicesRegistered(Node, [Asks.Card("GPU-a")])));
        check.Next(At(2, Streams.Node(Node), new AllocationAdopted(Guid.Empty, "p1", "default", "p1", Node, 1, [new(0, "main", false, "GPU-a", 1000, 0)], "test", true)));
        var state = NodeSnapshot.Of(Node, check.Ledger.Node(Node));
        state = state with { Allocations = [state.Allocations[0] with { PodUid = pod, Shares = [.. state.Allocations[0].Shares] }] };

        check.Next(At(3, Streams.Node(Node, epoch), new NodeCarriedForward(Node, epoch, "", state)));

        Assert.Equal(finding is null ? [] : [finding], check.Findings.Select(f => f.What));
    }

    [Fact]
    public void What_goes_on_in_a_closed_stream_is_a_finding()
    {
        var check = new LogCheck();
        check.Next(At(1, Streams.Node(Node), new DevicesRegistered(Node, [Asks.Card("GPU-a")])));
        check.Next(At(2, Streams.Node(Node, 1), new NodeCarriedForward(Node, 1, "", NodeSnapshot.Of(Node, check.Ledger.Node(Node)))));

        check.Next(At(3, Streams.Node(Node), new DeviceCordoned("GPU-a")));

        Assert.Equal("its stream was closed, node/n1/1 is the one after it", Assert.Single(check.Findings).What);
    }

    private static Recorded At(long position, string stream, object happened) => new(position, DateTimeOffset.UnixEpoch, stream, happened);

    private static Task<Verdict<NodeEvent>> Register(TestJournal journal) => journal.Journal.DecideAsync<NodeEvent>(
        Streams.Node(Node), _ => new DevicesRegistered(Node, [Asks.Card("GPU-n1-a"), Asks.Card("GPU-n1-b")]));

    private static Task<Verdict<NodeEvent>> Place(TestJournal journal, string pod)
    {
        var command = Asks.Place(Asks.Pod(pod), Node);
        return journal.Journal.DecideAsync(Streams.Node(Node), ledger => PlaceAllocationDecider.Decide(command, ledger));
    }

    private static string Text(NodeLedger node) => JsonSerializer.Serialize(NodeSnapshot.Of(Node, node), Checkpoints.Json);

    private static async Task<List<string>> Rows(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await using var rows = await command.ExecuteReaderAsync();
        var all = new List<string>();
        while (await rows.ReadAsync())
            all.Add(rows.GetString(0));
        return all;
    }
}
