using System.Text.Json.Nodes;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>The bodies that reach an extender, compared with what a real kube-scheduler 1.36 sent.</summary>
public sealed class SchedulerExtenderWire
{
    // As recorded, less the service account's volume.
    private const string RecordedPod =
        """
        {"metadata":{"name":"fit1","namespace":"default","uid":"6309ec08-7159-4898-9320-6c626133bbd2","resourceVersion":"523","generation":1,"creationTimestamp":"2026-11-23T19:46:20Z","annotations":{"nvidia.com/use-gputype":"A100"}},
         "spec":{"containers":[{"name":"c","image":"x","resources":{"limits":{"nvidia.com/gpu":"1","nvidia.com/gpucores":"30","nvidia.com/gpumem":"3k"},"requests":{"nvidia.com/gpu":"1","nvidia.com/gpucores":"30","nvidia.com/gpumem":"3k"}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"default","serviceAccount":"default","securityContext":{},"schedulerName":"hami-scheduler","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"},
         "status":{"phase":"Pending","qosClass":"BestEffort"}}
        """;

    [Fact]
    public void Filter_sends_the_whole_pod_under_Go_cased_names()
    {
        var body = Body(ExtenderBodies.Nodes(Watched(), [Node("node-00000"), Node("node-00001")], namesOnly: true));

        Assert.Equal(["Pod", "Nodes", "NodeNames"], body.Select(m => m.Key));
        Assert.Null(body["Nodes"]);
        Assert.Equal("""["node-00000","node-00001"]""", body["NodeNames"]!.ToJsonString());
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(RecordedPod), body["Pod"]), body["Pod"]!.ToJsonString());
    }

    [Fact]
    public void Bind_sends_four_Go_cased_strings() =>
        Assert.Equal(
            """{"PodName":"fit1","PodNamespace":"default","PodUID":"6309ec08-7159-4898-9320-6c626133bbd2","Node":"node-00002"}""",
            Body(ExtenderBodies.Bind(Watched(), "node-00002")).ToJsonString());

    [Fact]
    public void An_extender_without_a_cache_gets_whole_nodes_with_everything_but_the_words_for_the_type()
    {
        var node = Node("node-00000");
        node.Metadata.Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { ["hami.io/node-nvidia-register"] = "[]" };
        node.Metadata.ManagedFields = [new() { Manager = "kubectl-label" }];

        var body = Body(ExtenderBodies.Nodes(Watched(), [node], namesOnly: false));

        Assert.Equal(["Pod", "Nodes", "NodeNames"], body.Select(m => m.Key));
        Assert.Null(body["NodeNames"]);
        Assert.Equal(
            """{"metadata":{},"items":[{"metadata":{"annotations":{"hami.io/node-nvidia-register":"[]"},"managedFields":[{"manager":"kubectl-label"}],"name":"node-00000"},"spec":{},"status":{}}]}""",
            body["Nodes"]!.ToJsonString());
    }

    [Fact]
    public void Preempt_sends_uids_to_an_extender_with_a_cache_and_whole_pods_to_one_without()
    {
        var victim = Watched();
        var victims = new Dictionary<string, IReadOnlyList<PodRecord>>(StringComparer.Ordinal) { ["node-00000"] = [new(victim)] };

        var byUid = Body(ExtenderBodies.Victims(Watched(), victims, whole: null));
        var whole = Body(ExtenderBodies.Victims(Watched(), victims, new Dictionary<string, V1Pod>(StringComparer.Ordinal) { [victim.Uid()] = victim }));

        Assert.Equal(["Pod", "NodeNameToVictims", "NodeNameToMetaVictims"], byUid.Select(m => m.Key));
        Assert.Null(byUid["NodeNameToVictims"]);
        Assert.Equal(
            """{"node-00000":{"Pods":[{"UID":"6309ec08-7159-4898-9320-6c626133bbd2"}],"NumPDBViolations":0}}""",
            byUid["NodeNameToMetaVictims"]!.ToJsonString());
        Assert.Null(whole["NodeNameToMetaVictims"]);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(RecordedPod), whole["NodeNameToVictims"]!["node-00000"]!["Pods"]![0]));
    }

    private static V1Node Node(string name) => new() { ApiVersion = "v1", Kind = "Node", Metadata = new() { Name = name } };

    // What the watch brings has two things more than what the extender gets: the type words and managedFields.
    private static V1Pod Watched()
    {
        var pod = KubernetesJson.Deserialize<V1Pod>(RecordedPod);
        pod.ApiVersion = "v1";
        pod.Kind = "Pod";
        pod.Metadata.ManagedFields = [new() { Manager = "kubectl-create" }];
        return pod;
    }

    private static JsonObject Body(byte[] bytes) => JsonNode.Parse(bytes)!.AsObject();
}
