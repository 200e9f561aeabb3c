using System.Text.Json;
using System.Text.Json.Nodes;
using Hami.Api.Admitting;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Admitting;
using Hami.Lab.ApiServer;

namespace Hami.Tests.Admitting;

/// <summary>The operations mean what was decided, whatever of the pod is missing.</summary>
public sealed class PatchingAPod
{
    private const string Other = """{"name":"other"}""";

    [Theory]
    [InlineData("""{"name":"c"}""", """{"name":"c","resources":{"limits":{"a/b":"1","a~c/d":"2"}}}""")]
    [InlineData("""{"name":"c","resources":null}""", """{"name":"c","resources":{"limits":{"a/b":"1","a~c/d":"2"}}}""")]
    [InlineData("""{"name":"c","resources":{"requests":{"x":"1"}}}""", """{"name":"c","resources":{"requests":{"x":"1"},"limits":{"a/b":"1","a~c/d":"2"}}}""")]
    [InlineData("""{"name":"c","resources":{"limits":null}}""", """{"name":"c","resources":{"limits":{"a/b":"1","a~c/d":"2"}}}""")]
    [InlineData("""{"name":"c","resources":{"limits":{"cpu":"1"}}}""", """{"name":"c","resources":{"limits":{"cpu":"1","a/b":"1","a~c/d":"2"}}}""")]
    public void A_limit_finds_its_place(string before, string after) =>
        AssertBecomes(before, after, position => [new PodChange.Limit(position, "a/b", 1), new PodChange.Limit(position, "a~c/d", 2)]);

    [Theory]
    [InlineData("""{"name":"c"}""", """{"name":"c","env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}""")]
    [InlineData("""{"name":"c","env":null}""", """{"name":"c","env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}""")]
    [InlineData("""{"name":"c","env":[]}""", """{"name":"c","env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}""")]
    [InlineData("""{"name":"c","env":[{"name":"x","value":"9"}]}""", """{"name":"c","env":[{"name":"x","value":"9"},{"name":"A","value":"1"},{"name":"B","value":"2"}]}""")]
    [InlineData(
        """{"name":"c","env":[{"name":"A","value":"9"},{"name":"x"},{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}""",
        """{"name":"c","env":[{"name":"A","value":"1"},{"name":"x"},{"name":"A","value":"1"},{"name":"B","value":"2"}]}""")]
    public void A_variable_stands_instead_of_any_of_its_name(string before, string after) =>
        AssertBecomes(before, after, position => [new PodChange.Variable(position, "A", "1"), new PodChange.Variable(position, "B", "2")]);

    [Fact]
    public void Everything_else_of_the_pod_stays()
    {
        const string Before =
            """
            {"metadata":{"name":"p","annotations":{"hami.io/vgpu-node":"n1","a~b/c":"x","own":"y"},"labels":{"hami.io/vgpu-node":"n1","app":"z"},"unknown":{"kept":[1]}},
             "spec":{"schedulerName":"default-scheduler","containers":[{"name":"c","futureField":7}]},"status":{}}
            """;
        const string After =
            """
            {"metadata":{"name":"p","annotations":{"own":"y"},"labels":{"app":"z"},"unknown":{"kept":[1]}},
             "spec":{"schedulerName":"hami-scheduler","runtimeClassName":"nvidia","containers":[{"name":"c","futureField":7}]},"status":{}}
            """;

        AssertSame(After, Patched(
            Before,
            [
                new PodChange.RemovedAnnotation("hami.io/vgpu-node"), new PodChange.RemovedAnnotation("a~b/c"), new PodChange.RemovedLabel("hami.io/vgpu-node"),
                new PodChange.SchedulerName("hami-scheduler"), new PodChange.RuntimeClass("nvidia"),
            ]));
    }

    [Fact]
    public void No_changes_make_no_patch() => Assert.Null(AdmissionPatch.Of([], Read("""{"spec":{"containers":[{"name":"c"}]}}""")));

    private static void AssertBecomes(string before, string after, Func<int, IReadOnlyList<PodChange>> changes)
    {
        // Once among the init containers, once among the others: positions count over both.
        AssertSame(Pod(after, Other), Patched(Pod(before, Other), changes(1)));
        AssertSame(Pod(Other, after), Patched(Pod(Other, before), changes(2)));
    }

    private static string Pod(string secondInit, string app) => "{\"spec\":{\"initContainers\":[" + Other + "," + secondInit + "],\"containers\":[" + app + "]}}";

    private static string Patched(string pod, IReadOnlyList<PodChange> changes)
    {
        var operations = JsonNode.Parse(AdmissionPatch.Of(changes, Read(pod)))!.AsArray();
        return JsonPatch.Apply(JsonNode.Parse(pod)!.AsObject(), operations).ToJsonString();
    }

    private static void AssertSame(string expected, string actual) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), JsonNode.Parse(actual)), $"expected\n{expected}\nbut got\n{actual}");

    private static PodJson Read(string json) => JsonSerializer.Deserialize(json, WireJson.Default.PodJson)!;
}
