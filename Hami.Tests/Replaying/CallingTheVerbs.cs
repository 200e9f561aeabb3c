using System.Text.Json.Nodes;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Replaying;

/// <summary>The verbs as they are called: tables for people, JSON for programs, exit codes that mean something.</summary>
public sealed class CallingTheVerbs : IAsyncLifetime
{
    private readonly string _key = HeadKeyFile.Create();
    private readonly string _heads = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
    private string _database = "";

    public async ValueTask InitializeAsync()
    {
        _database = await TestPostgres.CreateDatabaseAsync();
        await using var journal = await TestJournal.StartAsync(_database);
        await journal.Journal.DecideAsync<NodeEvent>(Streams.Node("n1"), _ => new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-1", memoryMiB: 10_000)]));
        var command = Asks.Place(Asks.Pod("p1", memoryMiB: 8000), "n1");
        await journal.Journal.DecideAsync(Streams.Node("n1"), ledger => PlaceAllocationDecider.Decide(command, ledger));
        // What came later is found without the read models.
        await new ReadModelsBuild(journal.Database, new StoredEvents(), NullLogger<ReadModelsBuild>.Instance).EnsureAsync(CancellationToken.None);
        var refused = Asks.Pod("p2", memoryMiB: 5000);
        await journal.Journal.DecideAsync<PodEvent>(Streams.Pod("p2"), ledger => RefusePlacementDecider.Decide(
            new(refused, RefusedNodes.Of(refused, [NodeUse.Of("n1", ledger.Node("n1"))], Terms.Plain), 0, ledger.Position), ledger));
    }

    public ValueTask DisposeAsync()
    {
        File.Delete(_key);
        File.Delete(_heads);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Replay_shows_the_cluster()
    {
        var (code, text, _) = await CallAsync("replay");
        Assert.Equal(0, code);
        Assert.Contains("default/p1 main: 8000 MiB, 0 %, placed", text, StringComparison.Ordinal);
        Assert.Contains("8000 of 10000", text, StringComparison.Ordinal);
        Assert.Contains("default/p2", text, StringComparison.Ordinal);

        var json = JsonNode.Parse((await CallAsync("replay", "--node", "n1", "--json")).Output)!;
        Assert.Equal(8000, (int)json["nodes"]![0]!["cards"]![0]!["usedMemoryMiB"]!);
        Assert.Equal("Placed", (string?)json["nodes"]![0]!["cards"]![0]!["holders"]![0]!["phase"]);
        Assert.Equal(3, (int)json["position"]!);

        var before = JsonNode.Parse((await CallAsync("replay", "--at", "24h", "--json")).Output)!;
        Assert.Equal((0, 0), ((int)before["position"]!, before["nodes"]!.AsArray().Count));
    }

    [Fact]
    public async Task Explain_takes_a_name_or_a_uid()
    {
        var (code, text, _) = await CallAsync("audit", "explain", "default/p2");
        Assert.Equal(0, code);
        Assert.Contains("It would fit if it asked at most 2000 MiB of a card instead of 5000.", text, StringComparison.Ordinal);

        var json = JsonNode.Parse((await CallAsync("audit", "explain", "p1", "--json")).Output)!;
        Assert.Equal("Holding", (string?)json["standing"]);
        Assert.Contains(json["whyThere"]!.AsArray(), line => ((string?)line)!.Contains("the policy spread", StringComparison.Ordinal));

        var (byName, later) = ((await CallAsync("audit", "explain", "default/p1")).Output, (await CallAsync("audit", "explain", "default/p2")).Output);
        await using (var database = Npgsql.NpgsqlDataSource.Create(_database))
        await using (var drop = database.CreateCommand("drop schema hami_read cascade; drop table hami.read_models"))
            await drop.ExecuteNonQueryAsync();
        Assert.Contains("placed on n1", byName, StringComparison.Ordinal);
        Assert.Equal([byName, later], [(await CallAsync("audit", "explain", "default/p1")).Output, (await CallAsync("audit", "explain", "default/p2")).Output]);
    }

    [Fact]
    public async Task Who_lists_the_holders()
    {
        Assert.Contains("default/p1", (await CallAsync("audit", "who", "GPU-1")).Output, StringComparison.Ordinal);
        Assert.Equal(8000, (int)JsonNode.Parse((await CallAsync("audit", "who", "GPU-1", "--json")).Output)![0]!["memoryMiB"]!);
        Assert.Contains("Nobody", (await CallAsync("audit", "who", "GPU-1", "--to", "24h")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verify_ends_with_0_until_somebody_changed_a_row()
    {
        Assert.Equal(0, (await CallAsync("audit", "export-head", "--heads-file", _heads, "--head-key-file", _key)).Code);
        string[] verify = ["audit", "verify", "--heads-file", _heads, "--head-key-file", _key];
        var (code, text, _) = await CallAsync(verify);
        Assert.Equal(0, code);
        Assert.Contains("1 exported heads were compared; up to event 3 nothing can have been changed unseen.", text, StringComparison.Ordinal);

        await using (var database = Npgsql.NpgsqlDataSource.Create(_database))
        await using (var change = database.CreateCommand("update hami.mt_events set data = jsonb_set(data, '{pod}', '\"other\"') where seq_id = 2"))
            await change.ExecuteNonQueryAsync();

        (code, text, _) = await CallAsync(verify);
        Assert.Equal(1, code);
        Assert.Contains("node/n1/0", text, StringComparison.Ordinal);
        var json = JsonNode.Parse((await CallAsync([.. verify, "--json"])).Output)!;
        Assert.Equal((false, 2), ((bool)json["isIntact"]!, (int)json["findings"]![0]!["position"]!));
    }

    [Fact]
    public async Task What_if_compares_and_says_what_it_leaves_out()
    {
        var (code, text, _) = await CallAsync("whatif", "--policy", "spread/binpack", "--from", "1h");
        Assert.Equal(0, code);
        Assert.Contains("spread/binpack", text, StringComparison.Ordinal);
        Assert.Contains("An approximation:", text, StringComparison.Ordinal);
        Assert.Equal(2, (int)JsonNode.Parse((await CallAsync("whatif", "--policy", "spread", "--from", "1h", "--json")).Output)!["otherPolicy"]!["arrivals"]!);
    }

    [Theory]
    [InlineData("audit explain default/nobody", 1, "The log knows no pod default/nobody up to event 3")]
    [InlineData("replay --node n9", 1, "The log knows no node n9")]
    [InlineData("replay --at yesterday", 1, "--at yesterday is no moment such as 2026-03-01T12:00:00Z, nor a time ago such as 90m.")]
    [InlineData("whatif --policy tight --from 1h", 1, "--policy tight is not a policy over nodes")]
    [InlineData("whatif --policy spread --from 1h --to 2h", 2, "is not before --to")]
    [InlineData("audit verify --heads-file /nowhere", 2, "Could not find file '/nowhere'.")]
    [InlineData("audit verify --head-key-file /dev/null", 2, "it holds no key in PEM")]
    public async Task What_cannot_be_answered_is_said_in_a_sentence(string verb, int code, string sentence)
    {
        var (ended, output, error) = await CallAsync(verb.Split(' '));

        Assert.Equal(code, ended);
        Assert.Contains(sentence, output + error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_without_a_log_or_out_of_reach_is_said()
    {
        var empty = await TestPostgres.CreateDatabaseAsync();
        var (code, _, error) = await CallAsync("audit", "verify", "--postgres", empty);
        Assert.Equal((2, true), (code, error.StartsWith("the database holds no log of hami-api's", StringComparison.Ordinal)));
        Assert.Equal(2, (await CallAsync("replay", "--postgres", "Host=127.0.0.1;Port=1;Timeout=2")).Code);
    }

    private async Task<(int Code, string Output, string Error)> CallAsync(params string[] verb)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        string[] arguments = verb.Contains("--postgres", StringComparer.Ordinal) ? verb : [.. verb, "--postgres", _database];
        var code = await Hami.Api.CommandLine.Create().Parse(arguments).InvokeAsync(new() { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
