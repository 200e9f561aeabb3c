using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using k8s;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>Conversations of kubectl and kube-scheduler with a real kube-apiserver 1.36, held again with the lab's.</summary>
/// <remarks>
/// <c>ApiServerRecordings.jsonl</c> has one exchange a line, without managedFields. Answers are compared whole, less what differs between
/// any two clusters: uids, revisions, times, and the projected volume of the distribution that was recorded.
/// </remarks>
public sealed class ApiServerRecordings
{
    [Fact]
    public async Task A_pods_life_reads_the_same()
    {
        await using var lab = await Running();
        string[] life =
        [
            "01-create-deployment-and-pod", "02-apply-again", "08-annotate-pod", "12-patch-merge", "13-patch-json", "14-get-missing", "15-create-twice",
            "16-invalid-pod", "18-logs-unscheduled", "20-delete-pod",
        ];
        await Replay(lab, Exchanges().Where(e => life.Contains((string)e["flow"]!, StringComparer.Ordinal)));
    }

    [Fact]
    public async Task A_nodes_label_reads_the_same()
    {
        await using var lab = await Running();
        var exchanges = Exchanges().Where(e => (string)e["flow"]! is "09-label-node").ToArray();
        var node = exchanges[0]["answer"]!.DeepClone();
        foreach (var own in (string[])["uid", "resourceVersion", "creationTimestamp"])
            node["metadata"]!.AsObject().Remove(own);
        Assert.Equal(201, (await lab.Send("POST", "/api/v1/nodes", node.ToJsonString())).Code);
        await Replay(lab, exchanges);
    }

    [Fact]
    public async Task What_kube_scheduler_writes_is_taken_the_same_way()
    {
        await using var lab = await Running();
        var exchanges = Exchanges().Where(e => (string)e["flow"]! is "scheduler").ToArray();
        // The pod was recorded with its first status; it is made again from that.
        var pod = exchanges.First(e => ((string)e["path"]!).EndsWith("/status", StringComparison.Ordinal))["answer"]!.DeepClone().AsObject();
        pod.Remove("status");
        foreach (var own in (string[])["uid", "resourceVersion", "creationTimestamp"])
            pod["metadata"]!.AsObject().Remove(own);
        Assert.Equal(201, (await lab.Send("POST", "/api/v1/namespaces/default/pods", pod.ToJsonString())).Code);
        await Replay(lab, exchanges);
    }

    [Theory]
    [InlineData("03-get-pods")]
    [InlineData("10-get-nodes-wide")]
    [InlineData("17-events")]
    public async Task A_tables_columns_are_the_same(string flow)
    {
        await using var lab = await Running();
        var recorded = Exchanges().Single(e => (string)e["flow"]! == flow);
        var (_, table) = await lab.Send("GET", (string)recorded["path"]!, accept: (string)recorded["accept"]!);
        static IEnumerable<string> Columns(JsonNode table) =>
            table["columnDefinitions"]!.AsArray().Select(c => $"{c!["name"]} {c["type"]} {c["format"]} {c["priority"]}");
        Assert.Equal(Columns(recorded["answer"]!), Columns(table!));
    }

    private static async Task Replay(ApiServerGiven lab, IEnumerable<JsonNode> exchanges)
    {
        foreach (var recorded in exchanges)
        {
            var (method, path) = ((string)recorded["method"]!, (string)recorded["path"]!);
            var (code, answer) = await lab.Send(method, path, (string?)recorded["body"], (string?)recorded["type"] ?? "application/json", (string)recorded["accept"]!);
            Assert.True(code == (int)recorded["status"]!, $"{method} {path}: {answer?.ToJsonString()}");
            Assert.Equal(Comparable(recorded["answer"]), Comparable(answer));
        }
    }

    private static IEnumerable<JsonNode> Exchanges([CallerFilePath] string here = "") =>
        File.ReadLines(Path.ChangeExtension(here, ".jsonl")).Select(line => JsonNode.Parse(line)!);

    private static string Comparable(JsonNode? answer)
    {
        if (answer is null)
            return "";
        var same = answer.DeepClone();
        if (same["metadata"] is JsonObject metadata)
        {
            foreach (var own in (string[])["uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"])
                metadata.Remove(own);
        }
        if (same["spec"]?["volumes"] is JsonArray volumes)
        {
            // Every cluster names it anew, and the recorded distribution projects one file more.
            foreach (var volume in volumes.Where(v => v!["projected"] is not null).ToArray())
                volumes.Remove(volume);
            foreach (var container in same["spec"]!["containers"]!.AsArray())
                container!.AsObject().Remove("volumeMounts");
        }
        // Times that were never set are null in Go and left out here.
        if (same["kind"]?.GetValue<string>() is "Event")
        {
            foreach (var never in (string[])["deprecatedFirstTimestamp", "deprecatedLastTimestamp"])
                same.AsObject().Remove(never);
        }
        return Sorted(same)!.ToJsonString();
    }

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject map => new JsonObject(map.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Sorted(p.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Sorted)]),
        null => null,
        _ => node.DeepClone(),
    };
}
