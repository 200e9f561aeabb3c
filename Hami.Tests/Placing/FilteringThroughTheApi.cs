using System.Text.Json.Nodes;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Placing;

/// <summary>The calls that a kube-scheduler 1.36 made to its extender, answered by the running control plane for the recorded nodes.</summary>
public sealed class FilteringThroughTheApi(FilteringThroughTheApi.RecordedNodes recorded) : IClassFixture<FilteringThroughTheApi.RecordedNodes>
{
    // ExtenderFilterResult in k8s.io/kube-scheduler/extender/v1 has no JSON tags, so its members are in Go's casing.
    private static readonly string[] ResultMembers = ["Error", "FailedAndUnresolvableNodes", "FailedNodes", "NodeNames", "Nodes"];

    [Fact]
    [Trait("Scoreboard", "H01")]
    public async Task Names_offered_are_answered_with_one_of_them()
    {
        var arguments = WithNodeNames();

        var answer = await Filter(arguments);

        Assert.Equal("", Error(answer));
        Assert.Null(answer["Nodes"]);
        var chosen = Assert.Single(answer["NodeNames"]!.AsArray())!.GetValue<string>();
        Assert.Contains(chosen, arguments["NodeNames"]!.AsArray().Select(n => n!.GetValue<string>()));
        Assert.True(answer["FailedNodes"] is null or JsonObject { Count: 0 }, answer.ToJsonString());
    }

    [Fact]
    public async Task Nodes_offered_for_a_pending_pod_are_answered_with_one_of_them_as_it_came()
    {
        var arguments = WithNodes();
        arguments["Pod"] = JsonNode.Parse(KubernetesJson.Serialize(await CreateAsync(arguments["Pod"]!, "pending")));

        var answer = await Filter(arguments);

        Assert.Equal("", Error(answer));
        Assert.Null(answer["NodeNames"]);
        Assert.All(answer["Nodes"]!.AsObject(), m => Assert.Contains(m.Key, new[] { "metadata", "items" }));
        var chosen = Assert.Single(answer["Nodes"]!["items"]!.AsArray());
        Assert.Contains(arguments["Nodes"]!["items"]!.AsArray(), n => JsonNode.DeepEquals(n, chosen));
    }

    [Fact]
    [Trait("Scoreboard", "C18")]
    [Trait("Hami", "case 87")]
    public async Task Nodes_offered_for_a_pod_that_is_not_there_are_a_simulation_which_leaves_nothing_behind()
    {
        var arguments = WithNodes();
        var items = arguments["Nodes"]!["items"]!.AsArray();
        var template = items[0]!.DeepClone();
        template["metadata"]!["name"] = "planned";
        items.Add(template);
        items.Add(JsonNode.Parse("""{"metadata":{"name":"without"}}"""));
        items.Add(JsonNode.Parse("""{"metadata":{"name":"small","annotations":{"hami.io/node-nvidia-register":"[{\"id\":\"GPU-s\",\"count\":10,\"devmem\":10,\"devcore\":100,\"type\":\"NVIDIA\",\"mode\":\"hami-core\",\"health\":true}]"}}}"""));
        arguments["Pod"]!["metadata"]!["uid"] = "00000000-0000-4000-8000-00000000dead";

        var answer = await Filter(arguments);

        Assert.Contains("planned", answer["Nodes"]!["items"]!.AsArray().Select(n => n!["metadata"]!["name"]!.GetValue<string>()));
        Assert.Equal("node unregistered", answer["FailedNodes"]!["without"]!.GetValue<string>());
        Assert.StartsWith("1/1 CardInsufficientMemory", answer["FailedNodes"]!["small"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Empty(await recorded.Scene.ColumnAsync("select type from hami.mt_events where data::text like '%00000000-0000-4000-8000-00000000dead%'"));
    }

    [Fact]
    public async Task The_same_call_again_gets_the_same_node()
    {
        // kube-scheduler was seen to call twice within a second.
        var first = await Filter(WithNodeNames());
        var second = await Filter(WithNodeNames());

        Assert.Equal(first.ToJsonString(), second.ToJsonString());
    }

    [Theory]
    [Trait("Scoreboard", "H01")]
    [Trait("Scoreboard", "H05")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_no_node_fits_each_has_its_reason(bool nodeCacheCapable)
    {
        var arguments = nodeCacheCapable ? WithNodeNames() : WithNodes();
        AskMemory(arguments, "100k");

        var answer = await Filter(arguments);

        Assert.Equal("", Error(answer));
        Assert.True(answer["NodeNames"] is null or JsonArray { Count: 0 }, answer.ToJsonString());
        Assert.True(answer["Nodes"]?["items"] is null or JsonArray { Count: 0 }, answer.ToJsonString());
        Assert.Equal(["node-00000", "node-00001", "node-00002"], answer["FailedNodes"]!.AsObject().Select(n => n.Key).Order(StringComparer.Ordinal));
        Assert.All(
            answer["FailedNodes"]!.AsObject(),
            n => Assert.StartsWith("8/8 CardInsufficientMemory", n.Value!.GetValue<string>(), StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_pod_that_asks_no_cards_keeps_every_node(bool nodeCacheCapable)
    {
        var arguments = nodeCacheCapable ? WithNodeNames() : WithNodes();
        arguments["Pod"]!["spec"]!["containers"]![0]!.AsObject().Remove("resources");

        var answer = await Filter(arguments);

        Assert.Equal("", Error(answer));
        Assert.True(JsonNode.DeepEquals(arguments["NodeNames"], answer["NodeNames"]), answer.ToJsonString());
        Assert.True(JsonNode.DeepEquals(arguments["Nodes"]?["items"], answer["Nodes"]?["items"]), answer.ToJsonString());
        Assert.True(answer["FailedNodes"] is null or JsonObject { Count: 0 }, answer.ToJsonString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_node_that_registered_nothing_is_left_out(bool nodeCacheCapable)
    {
        var arguments = nodeCacheCapable ? WithNodeNames() : WithNodes();
        if (nodeCacheCapable)
            arguments["NodeNames"]!.AsArray().Add("stranger");
        else
            arguments["Nodes"]!["items"]!.AsArray().Add(JsonNode.Parse("""{"metadata":{"name":"stranger"}}"""));

        var answer = await Filter(arguments);

        Assert.Equal("", Error(answer));
        Assert.DoesNotContain("stranger", (nodeCacheCapable ? answer["NodeNames"] : answer["Nodes"])!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_recorded_bind_finds_its_four_members_and_answers_with_Error_alone()
    {
        var scene = recorded.Scene;
        var arguments = WithNodeNames();
        var pod = await CreateAsync(arguments["Pod"]!, "bound");
        arguments["Pod"] = JsonNode.Parse(KubernetesJson.Serialize(pod));
        var bind = Recorded("/bind");
        Assert.Equal(["PodName", "PodNamespace", "PodUID", "Node"], bind.Select(m => m.Key));

        bind["Node"] = (await Filter(arguments))["NodeNames"]![0]!.GetValue<string>();
        bind["PodName"] = "bound";
        bind["PodUID"] = "00000000-0000-4000-8000-000000000000";
        var foreign = await scene.PostAsync("bind", bind);
        bind["PodUID"] = pod.Uid();
        var answer = await scene.PostAsync("bind", bind);

        Assert.Equal("""{"Error":""}""", answer.ToJsonString());
        Assert.Equal(["Error"], foreign.Select(m => m.Key));
        Assert.Contains("00000000-0000-4000-8000-000000000000 does not exist", Error(foreign), StringComparison.Ordinal);
        var bound = (await scene.FindPodAsync("bound"))!;
        Assert.Equal(bind["Node"]!.GetValue<string>(), bound.Spec.NodeName);
        Assert.Matches($"^GPU-{bound.Spec.NodeName}-0[0-7],NVIDIA,3000,30:;$", bound.GetAnnotation(HamiKeys.DevicesAllocated));
    }

    private async Task<JsonObject> Filter(JsonObject arguments)
    {
        var answer = await recorded.Scene.PostAsync("filter", arguments);
        Assert.Equal(ResultMembers, answer.Select(m => m.Key).Order(StringComparer.Ordinal));
        return answer;
    }

    private async Task<V1Pod> CreateAsync(JsonNode recordedPod, string name)
    {
        var pod = KubernetesJson.Deserialize<V1Pod>(recordedPod.ToJsonString());
        pod.Metadata = new() { Name = name, Annotations = pod.Metadata.Annotations };
        pod.Status = null;
        return await recorded.Scene.Kubernetes.CoreV1.CreateNamespacedPodAsync(pod, "default");
    }

    private static JsonObject WithNodeNames() => Recorded("/filter");

    private static JsonObject WithNodes() => Recorded("/filter", withNodes: true);

    private static JsonObject Recorded(string path, bool withNodes = false) =>
        Recordings.Beside().First(r => r["path"]!.GetValue<string>() == path && r["body"]!["Nodes"] is not null == withNodes)["body"]!.DeepClone().AsObject();

    private static void AskMemory(JsonObject arguments, string quantity)
    {
        var resources = arguments["Pod"]!["spec"]!["containers"]![0]!["resources"]!;
        resources["limits"]!["nvidia.com/gpumem"] = quantity;
        resources["requests"]!["nvidia.com/gpumem"] = quantity;
    }

    private static string Error(JsonObject answer) => answer["Error"]!.GetValue<string>();

    /// <summary>A control plane that knows the recorded nodes, registered with the annotation they were recorded with.</summary>
    public sealed class RecordedNodes : IAsyncLifetime
    {
        internal ControlPlaneScene Scene { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Scene = await ControlPlaneScene.StartAsync(nodes: 0);
            var nodes = WithNodes()["Nodes"]!["items"]!.AsArray();
            foreach (var node in nodes)
            {
                await Scene.Kubernetes.CoreV1.CreateNodeAsync(new()
                {
                    Metadata = new()
                    {
                        Name = node!["metadata"]!["name"]!.GetValue<string>(),
                        Annotations = node["metadata"]!["annotations"]!.AsObject().ToDictionary(a => a.Key, a => a.Value!.GetValue<string>(), StringComparer.Ordinal),
                    },
                });
            }
            await ControlPlaneScene.UntilAsync(
                async () => (await Scene.QueryAsync("{ nodes(first: 500) { items { name } } }"))["nodes"]!["items"]!.AsArray().Count == nodes.Count, () => Scene.Log);
        }

        public ValueTask DisposeAsync() => Scene.DisposeAsync();
    }
}
