using System.Text;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using Hami.Tests.Given;

namespace Hami.Tests.Admitting;

/// <summary>The reviews that a kube-apiserver 1.36 posted, answered by the running control plane.</summary>
public sealed class AdmittingThroughTheApi(RunningScene running) : IClassFixture<RunningScene>
{
    private const string GpuCores = "nvidia.com/gpucores";
    private const string GpuCount = "nvidia.com/gpu";
    private const string GpuMemory = "nvidia.com/gpumem";

    public static TheoryData<string, string> Recorded =>
        new MatrixTheoryData<string, string>(["fit1", "fit2"], ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"]);

    [Theory]
    [MemberData(nameof(Recorded))]
    public async Task A_recorded_pod_that_says_what_it_needs_changes_its_scheduler_and_nothing_else(string name, string version)
    {
        var review = Review(name, version);
        var expected = Pod(review);
        expected["spec"]!["schedulerName"] = "hami-scheduler";

        await AssertBecomes(expected, review);
    }

    [Theory]
    [MemberData(nameof(Recorded))]
    public async Task A_recorded_pod_that_says_too_little_gets_what_is_missing_and_nothing_else(string name, string version)
    {
        var whole = Review(name, version);
        Limit(whole, GpuCores, null);
        Limit(whole, GpuMemory, null);
        var wholeExpected = Pod(whole);
        wholeExpected["spec"]!["schedulerName"] = "hami-scheduler";
        Limits(wholeExpected)[GpuCores] = "100";

        var uncounted = Review(name, version);
        Limit(uncounted, GpuCount, null);
        var uncountedExpected = Pod(uncounted);
        uncountedExpected["spec"]!["schedulerName"] = "hami-scheduler";
        Limits(uncountedExpected)[GpuCount] = "1";

        await AssertBecomes(wholeExpected, whole);
        await AssertBecomes(uncountedExpected, uncounted);
    }

    [Fact]
    public async Task Each_container_gets_its_own_and_its_neighbours_keep_theirs()
    {
        var review = Review("fit2");
        Limit(review, GpuMemory, null);
        var spec = Pod(review)["spec"]!;
        var asking = spec["containers"]![0]!;
        var silent = JsonNode.Parse("""{"name":"silent","image":"x"}""")!;
        // One that names its requests alone: the API server would refuse it later, yet its patch must apply.
        var requesting = JsonNode.Parse("""{"name":"requesting","image":"x","resources":{"requests":{"nvidia.com/gpu":"1"}}}""")!;
        review["request"]!["object"]!["spec"]!["initContainers"] = new JsonArray(silent.DeepClone(), asking.DeepClone());
        review["request"]!["object"]!["spec"]!["containers"] = new JsonArray(silent.DeepClone(), requesting.DeepClone(), asking.DeepClone());
        var expected = Pod(review);
        expected["spec"]!["schedulerName"] = "hami-scheduler";
        expected["spec"]!["initContainers"]![1]!["resources"]!["limits"]![GpuCores] = "100";
        expected["spec"]!["containers"]![1]!["resources"]!["limits"] = new JsonObject { [GpuCores] = "100" };
        expected["spec"]!["containers"]![2]!["resources"]!["limits"]![GpuCores] = "100";

        await AssertBecomes(expected, review);
    }

    [Theory]
    [InlineData("admission.k8s.io/v1")]
    [InlineData("admission.k8s.io/v1beta1")]
    public async Task A_pod_without_our_resources_passes_without_a_patch(string version)
    {
        var none = Review("fit1", version);
        foreach (var resource in new[] { GpuCount, GpuMemory, GpuCores })
            Limit(none, resource, null);
        var others = Review("fit1", version);
        others["request"]!["object"]!["spec"]!["schedulerName"] = "volcano";

        AssertUntouched(none, await Post(none));
        AssertUntouched(others, await Post(others));
    }

    [Fact]
    public async Task A_pod_that_exists_keeps_its_results_should_its_updates_be_sent_here()
    {
        var review = Review("fit1");
        review["request"]!["operation"] = "UPDATE";
        review["request"]!["object"]!["metadata"]!["annotations"]!["hami.io/vgpu-node"] = "n1";

        AssertUntouched(review, await Post(review));
    }

    [Theory]
    [InlineData("admission.k8s.io/v1")]
    [InlineData("admission.k8s.io/v1beta1")]
    public async Task A_denial_says_why_where_kubectl_shows_it(string version)
    {
        var review = Review("fit1", version);
        Limit(review, "nvidia.com/gpumem-percentage", "101");

        var answer = await Post(review);

        Assert.False(answer["allowed"]!.GetValue<bool>());
        Assert.Equal(["allowed", "status", "uid"], answer.Select(m => m.Key).Order(StringComparer.Ordinal));
        Assert.Equal(403, answer["status"]!["code"]!.GetValue<int>());
        Assert.Contains("invalid nvidia.com/gpumem-percentage value 101 in container c", answer["status"]!["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("admission.k8s.io/v1")]
    [InlineData("admission.k8s.io/v1beta1")]
    public async Task A_warning_stands_where_kubectl_shows_it(string version)
    {
        var review = Review("fit1", version);
        review["request"]!["object"]!["metadata"]!["annotations"]!["hami.io/vgpu-node"] = "n1";

        var answer = await Post(review);

        Assert.True(answer["allowed"]!.GetValue<bool>());
        Assert.Equal("""["metadata.annotations[hami.io/vgpu-node] is written by HAMi alone and was removed"]""", answer["warnings"]!.ToJsonString());
    }

    private async Task AssertBecomes(JsonObject expected, JsonObject review)
    {
        var answer = await Post(review);

        Assert.True(answer["allowed"]!.GetValue<bool>());
        Assert.Equal("JSONPatch", answer["patchType"]!.GetValue<string>());
        var operations = JsonNode.Parse(Encoding.UTF8.GetString(Convert.FromBase64String(answer["patch"]!.GetValue<string>())))!.AsArray();
        Assert.All(operations, o =>
        {
            Assert.Equal(["op", "path", "value"], o!.AsObject().Select(m => m.Key));
            Assert.Equal("add", o["op"]!.GetValue<string>());
            Assert.Matches("^/spec/(schedulerName|(initContainers|containers)/[0-9]+/resources(/limits(/nvidia.com~1[a-z]+)?)?)$", o["path"]!.GetValue<string>());
        });
        var patched = JsonPatch.Apply(Pod(review), operations);
        Assert.True(JsonNode.DeepEquals(expected, patched), $"expected\n{expected.ToJsonString()}\nbut got\n{patched.ToJsonString()}");
    }

    private static void AssertUntouched(JsonObject review, JsonObject answer)
    {
        Assert.True(answer["allowed"]!.GetValue<bool>(), review.ToJsonString());
        Assert.Null(answer["patch"]);
        Assert.Null(answer["patchType"]);
    }

    /// <summary>Posts as the API server does and returns the response inside the review.</summary>
    private async Task<JsonObject> Post(JsonObject review)
    {
        var (status, body) = await running.Scene.PostRawAsync("webhook?timeout=10s", review.ToJsonString());
        var answer = JsonNode.Parse(body)!.AsObject();

        Assert.Equal(200, status);
        Assert.Equal(["apiVersion", "kind", "response"], answer.Select(m => m.Key).Order(StringComparer.Ordinal));
        Assert.Equal(review["apiVersion"]!.GetValue<string>(), answer["apiVersion"]!.GetValue<string>());
        Assert.Equal("AdmissionReview", answer["kind"]!.GetValue<string>());
        Assert.Equal(review["request"]!["uid"]!.GetValue<string>(), answer["response"]!["uid"]!.GetValue<string>());
        return answer["response"]!.AsObject();
    }

    private static JsonObject Review(string name, string version = "admission.k8s.io/v1")
    {
        var review = Recordings.Beside().Single(r => r["request"]!["name"]!.GetValue<string>() == name);
        review["apiVersion"] = version;
        return review;
    }

    private static JsonObject Pod(JsonObject review) => review["request"]!["object"]!.DeepClone().AsObject();

    private static JsonObject Limits(JsonNode pod) => pod["spec"]!["containers"]![0]!["resources"]!["limits"]!.AsObject();

    // The API server has copied limits into requests before it asks us.
    private static void Limit(JsonObject review, string resource, string? value)
    {
        var resources = review["request"]!["object"]!["spec"]!["containers"]![0]!["resources"]!;
        foreach (var quantities in new[] { resources["limits"]!.AsObject(), resources["requests"]!.AsObject() })
        {
            quantities.Remove(resource);
            if (value is not null)
                quantities[resource] = value;
        }
    }
}
