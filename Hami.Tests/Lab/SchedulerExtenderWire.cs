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
        var body = Body(ExtenderClient.FilterBody(Watched(), ["node-00000", "node-00001"]));

        Assert.Equal(["Pod", "Nodes", "NodeNames"], body.Select(m => m.Key));
        Assert.Null(body["Nodes"]);
        Assert.Equal("""["node-00000","node-00001"]""", body["NodeNames"]!.ToJsonString());
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(RecordedPod), body["Pod"]), body["Pod"]!.ToJsonString());
    }

    [Fact]
    public void Bind_sends_four_Go_cased_strings() =>
        Assert.Equal(
            """{"PodName":"fit1","PodNamespace":"default","PodUID":"6309ec08-7159-4898-9320-6c626133bbd2","Node":"node-00002"}""",
            Body(ExtenderClient.BindBody(Watched(), "node-00002")).ToJsonString());

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
