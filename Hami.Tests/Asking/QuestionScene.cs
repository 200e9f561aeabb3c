using System.Text.Json.Nodes;
using Hami.Tests.Given;

namespace Hami.Tests.Asking;

[CollectionDefinition(QuestionScene.Shared)]
public sealed class QuestionCollection : ICollectionFixture<QuestionScene>;

/// <summary>A control plane with a history: p1 to p12 were placed, the odd ones of them are gone again, and "huge" waits.</summary>
public sealed class QuestionScene : IAsyncLifetime
{
    /// <summary>One scene for all who only ask.</summary>
    public const string Shared = "questions";

    public const int Pods = 12;

    internal ControlPlaneScene Scene { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Scene = await ControlPlaneScene.StartAsync(nodes: 2);
        for (var i = 1; i <= Pods; i++)
        {
            var pod = await Scene.CreatePodAsync($"p{i}", memoryMiB: 100 * i);
            await Scene.FilterAsync(pod.Metadata.Name, "n1", "n2");
            await Scene.BindAsync(pod, i % 2 == 0 ? "n1" : "n2");
        }
        for (var i = 1; i <= Pods; i += 2)
            await Scene.DeletePodAsync($"p{i}");
        await Scene.CreatePodAsync("huge", memoryMiB: 1_000_000);
        await Scene.FilterAsync("huge", "n1", "n2");
        await ControlPlaneScene.UntilAsync(
            async () => await Scene.QueryAsync("{ a: allocations(filter: { live: false }) { totalCount } b: allocations { totalCount } pendingPods { totalCount } }") is { } data
                && data["a"]!["totalCount"]!.GetValue<int>() == Pods / 2 && data["b"]!["totalCount"]!.GetValue<int>() == Pods && data["pendingPods"]!["totalCount"]!.GetValue<int>() == 1,
            () => $"the history is not there:\n{Scene.Log}");
    }

    public ValueTask DisposeAsync() => Scene.DisposeAsync();

    /// <summary>The rows of a page.</summary>
    internal async Task<List<JsonNode>> ItemsAsync(string list, string fields) =>
        [.. (await Scene.QueryAsync($"{{ list: {list} {{ items {{ {fields} }} }} }}"))["list"]!["items"]!.AsArray().Select(i => i!)];

    /// <summary>The sentences with which a query is refused.</summary>
    internal async Task<(int Status, string Errors)> RefusedAsync(string query)
    {
        var (status, body) = await Scene.PostRawAsync("graphql", new JsonObject { ["query"] = query }.ToJsonString());
        return (status, string.Join('\n', JsonNode.Parse(body)!["errors"]?.AsArray().Select(e => e!["message"]!.GetValue<string>()) ?? []));
    }
}
