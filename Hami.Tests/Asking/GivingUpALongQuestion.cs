using System.Text.Json.Nodes;
using Hami.Api.Asking;
using Hami.Api.Reading;
using Hami.Tests.Given;
using Npgsql;

namespace Hami.Tests.Asking;

/// <summary>A question ends, whatever PostgreSQL is busy with: each statement has its time, and so has the question.</summary>
public sealed class GivingUpALongQuestion(RunningScene running) : IClassFixture<RunningScene>
{
    private ControlPlaneScene Scene => running.Scene;

    [Fact]
    public async Task What_takes_PostgreSQL_or_us_too_long_is_given_up_with_a_sentence_and_the_next_is_answered()
    {
        var pod = await Scene.CreatePodAsync("p1");
        await Scene.FilterAsync("p1", "n1");
        Assert.Equal("", (await Scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
        await ControlPlaneScene.UntilAsync(async () => await CountAsync() == 1, () => Scene.Log);
        var generation = (await Scene.ColumnAsync($"select generation::text from {ReadTables.Head}"))[0];

        Task<(int Status, string Body)> ofOneStatement, ofTwo;
        await using (await LockedAsync("hami.mt_events"))
        {
            await using (await LockedAsync($"{ReadTables.SchemaOf(int.Parse(generation, System.Globalization.CultureInfo.InvariantCulture))}.allocation"))
            {
                ofOneStatement = AskAsync("{ events { items { position } } }");
                // Half of a statement's time for the rows, and then another statement for why they are there.
                ofTwo = AskAsync("{ allocations { items { pod because { candidates } } } }");
                await Task.Delay(Limits.Statement / 2);
            }
            var (_, tooLong) = await ofOneStatement;
            Assert.Contains("The question took PostgreSQL longer than 8 s: ask for less, with a filter, a shorter time or without totalCount.", tooLong, StringComparison.Ordinal);
            Assert.Contains("TOO_LONG", tooLong, StringComparison.Ordinal);
            var (status, givenUp) = await ofTwo;
            Assert.Equal(503, status);
            Assert.Equal("the question took longer than 10 s: ask for less at once", JsonNode.Parse(givenUp)!["errors"]![0]!["message"]!.GetValue<string>());
        }

        Assert.Equal(1, await CountAsync());
        Assert.Empty(await BusyAsync());
    }

    private Task<(int Status, string Body)> AskAsync(string query) => Scene.PostRawAsync("graphql", new JsonObject { ["query"] = query }.ToJsonString());

    private async Task<int> CountAsync() => (await Scene.QueryAsync("{ allocations { totalCount } }"))["allocations"]!["totalCount"]!.GetValue<int>();

    /// <summary>Statements of questions that PostgreSQL is still at.</summary>
    private Task<List<string>> BusyAsync() => Scene.ColumnAsync(
        "select query from pg_stat_activity where datname = current_database() and application_name = 'hami-questions' and state = 'active'");

    /// <summary>Nobody reads a table until this is disposed of.</summary>
    private async Task<NpgsqlConnection> LockedAsync(string table)
    {
        var connection = await Scene.Database.OpenConnectionAsync();
        await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand($"lock table {table} in access exclusive mode", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }
}
