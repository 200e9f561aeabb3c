using System.Diagnostics;
using GraphQL;
using GraphQL.Types;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Plumbing;
using Marten;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Hami.Tests.Asking;

/// <summary>A page takes as many statements as it has kinds of things, however many rows it has.</summary>
[Collection(QuestionScene.Shared)]
public sealed class CountingStatements(QuestionScene given)
{
    [Theory]
    [InlineData("allocations(first: FIRST) { items { id pod shares { deviceUuid } } }", 1)]
    [InlineData("allocations(first: FIRST) { totalCount items { id pod } pageInfo { endCursor } }", 2)]
    [InlineData("allocations(first: FIRST) { items { id because { candidates runnersUp { node } ask { containers { count } } } } }", 2)]
    [InlineData("allocations(first: FIRST) { items { id devices phase types } }", 2)]
    [InlineData("allocations(first: FIRST, at: \"2100-01-01T00:00:00Z\") { items { id releasedAt } }", 3)] // two look for the horizon
    [InlineData("events(first: FIRST) { items { position type body } }", 1)]
    [Trait("Scoreboard", "N11")]
    public async Task The_rows_of_a_page_are_read_together(string query, int most)
    {
        var (one, few) = await CountAsync(query.Replace("FIRST", "1", StringComparison.Ordinal));
        var (many, statements) = await CountAsync(query.Replace("FIRST", $"{QuestionScene.Pods}", StringComparison.Ordinal));

        Assert.Equal((1, QuestionScene.Pods), (one, many));
        Assert.Equal(few, statements);
        Assert.InRange(statements, 1, most);
    }

    private async Task<(int Rows, int Statements)> CountAsync(string query)
    {
        var connection = given.Scene.Database.ConnectionString;
        var database = new NpgsqlConnectionStringBuilder(connection).Database;
        using var store = DocumentStore.For(options => MartenSetup.Configure(options, connection));
        using var rows = new Rows(connection);
        var services = new ServiceCollection().AddQuestions().AddSingleton<IDocumentStore>(store).AddSingleton(rows).AddSingleton(TimeProvider.System)
            .AddScoped(_ => new Asker { Viewer = new("test", Scope.Everything) });
        await using var provider = services.BuildServiceProvider();
        await using var scope = provider.CreateAsyncScope();
        await ExecuteAsync(); // what is only done once

        var statements = 0;
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            // Other tests read other databases meanwhile.
            ActivityStopped = activity =>
            {
                if (activity.TagObjects.Any(t => t.Key is "db.name" or "db.namespace" && (string?)t.Value == database) && activity.TagObjects.Any(t => t.Key is "db.statement" or "db.query.text"))
                    Interlocked.Increment(ref statements);
            },
        };
        ActivitySource.AddActivityListener(listener);
        var result = await ExecuteAsync();
        return (System.Text.Json.Nodes.JsonNode.Parse(result)!["data"]!["list"]!["items"]!.AsArray().Count, statements);

        async Task<string> ExecuteAsync()
        {
            var answer = await provider.GetRequiredService<IDocumentExecuter>().ExecuteAsync(options =>
            {
                options.Schema = provider.GetRequiredService<ISchema>();
                options.Query = $"{{ list: {query} }}";
                options.RequestServices = scope.ServiceProvider;
            });
            var text = provider.GetRequiredService<IGraphQLTextSerializer>().Serialize(answer);
            Assert.True(answer.Errors is null, text);
            return text;
        }
    }
}
