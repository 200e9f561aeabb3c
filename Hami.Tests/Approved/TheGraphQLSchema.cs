using System.Text.Json.Nodes;
using GraphQL;
using GraphQL.Types;
using Hami.Api.Asking;
using Hami.Tests.Given;
using Microsoft.Extensions.DependencyInjection;

namespace Hami.Tests.Approved;

/// <summary>Clients compile against the schema, so its text is approved: a removed or renamed field breaks them.</summary>
public sealed class TheGraphQLSchema(RunningScene running) : IClassFixture<RunningScene>
{
    private const string Introspection =
        """
        { __schema { queryType { name } mutationType { name } subscriptionType { name } types {
            kind name description
            fields { name description type { ...Ref } args { name description defaultValue type { ...Ref } } }
            inputFields { name description defaultValue type { ...Ref } }
            enumValues { name description } } } }
        fragment Ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }
        """;

    private static readonly HashSet<string> Domains = new(typeof(Hami.Domain.Ledger.ClusterLedger).Assembly.GetTypes().Select(t => t.Name), StringComparer.Ordinal);

    [Fact]
    public void Its_text_with_all_descriptions_is_the_approved_one()
    {
        using var services = Services();

        ApprovedText.Is("schema.graphql", services.GetRequiredService<ISchema>().Print(new() { IncludeDescriptions = true, StringComparison = StringComparison.Ordinal }));
    }

    [Fact]
    public async Task The_running_control_plane_serves_it()
    {
        await using var services = Services();
        var approved = await services.GetRequiredService<IDocumentExecuter>().ExecuteAsync(options =>
        {
            options.Schema = services.GetRequiredService<ISchema>();
            options.Query = Introspection;
            options.RequestServices = services;
        });
        var text = services.GetRequiredService<IGraphQLTextSerializer>().Serialize(approved);

        var (_, served) = await running.Scene.PostRawAsync("graphql", new JsonObject { ["query"] = Introspection }.ToJsonString());

        Assert.Null(JsonNode.Parse(served)!["errors"]);
        Assert.Equal(JsonNode.Parse(text)!.ToJsonString(), JsonNode.Parse(served)!.ToJsonString());
    }

    [Fact]
    public void Every_question_and_each_of_its_arguments_says_what_it_is()
    {
        using var services = Services();
        var schema = services.GetRequiredService<ISchema>();
        schema.Initialize();

        Assert.All(schema.Query.Fields.Concat(schema.Subscription!.Fields), field =>
        {
            Assert.False(string.IsNullOrWhiteSpace(field.Description), field.Name);
            Assert.All(field.Arguments ?? [], a => Assert.False(string.IsNullOrWhiteSpace(a.Description), $"{field.Name}({a.Name})"));
        });
        // The domain's own records say most in their names.
        var ours = schema.AllTypes.OfType<IComplexGraphType>().Where(t => !t.Name.StartsWith("__", StringComparison.Ordinal) && t.Description is not null && !Domains.Contains(t.Name));
        Assert.All(ours, type => Assert.All(type.Fields, f => Assert.False(string.IsNullOrWhiteSpace(f.Description), $"{type.Name}.{f.Name}")));
    }

    // As Server.cs adds it; only the resolvers need the database, and none runs here.
    private static ServiceProvider Services()
    {
        return new ServiceCollection().AddQuestions().BuildServiceProvider();
    }
}
