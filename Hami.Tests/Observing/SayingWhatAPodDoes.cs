using Hami.Api.Observing;
using Hami.Domain.Admitting;
using k8s;
using k8s.Models;

namespace Hami.Tests.Observing;

/// <summary>What is kept of a pod to be shown is what kubectl says of it, of the pods that are of interest, and never without bound.</summary>
public sealed class SayingWhatAPodDoes
{
    [Theory]
    [Trait("Scoreboard", "M21")]
    [InlineData("""{"phase":"Pending"}""", "Pending", null)]
    [InlineData("""{"phase":"Running","containerStatuses":[{"name":"main","ready":true,"state":{"running":{}}}]}""", "Running", null)]
    [InlineData("""{"phase":"Pending","containerStatuses":[{"name":"main","state":{"waiting":{"reason":"ContainerCreating"}}}]}""", "Pending", "ContainerCreating")]
    [InlineData("""{"phase":"Pending","containerStatuses":[{"name":"main","state":{"waiting":{"reason":"ImagePullBackOff","message":"Back-off pulling image"}}}]}""", "Pending", "ImagePullBackOff")]
    [InlineData("""{"phase":"Running","containerStatuses":[{"name":"main","restartCount":7,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}""", "Running", "CrashLoopBackOff")]
    [InlineData("""{"phase":"Running","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}""", "Running", "OOMKilled")]
    [InlineData("""{"phase":"Failed","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}""", "Failed", "Error")]
    [InlineData("""{"phase":"Failed","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":3}}}]}""", "Failed", "ExitCode:3")]
    [InlineData("""{"phase":"Failed","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":137,"signal":9}}}]}""", "Failed", "Signal:9")]
    [InlineData("""{"phase":"Failed","reason":"Evicted","message":"The node was low on resource: memory."}""", "Failed", "Evicted")]
    [InlineData("""{"phase":"Succeeded","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]}""", "Succeeded", "Completed")]
    [InlineData("""{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"name":"b","ready":true,"state":{"running":{}}}]}""", "Running", null)]
    [InlineData("""{"phase":"Running","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":0,"reason":"Completed"}}},{"name":"b","ready":true,"state":{"running":{}}}]}""", "Running", "NotReady")]
    [InlineData("""{"phase":"Running","containerStatuses":[{"name":"main","state":{"waiting":{"reason":"CrashLoopBackOff"}}},{"name":"b","ready":true,"state":{"terminated":{"exitCode":1,"reason":"Error"}}}]}""", "Running", "CrashLoopBackOff")]
    [InlineData("""{"phase":"Pending","initContainerStatuses":[{"name":"i0","state":{"running":{}}}],"containerStatuses":[{"name":"main","state":{"waiting":{"reason":"PodInitializing"}}}]}""", "Pending", "Init:0/2")]
    [InlineData("""{"phase":"Pending","initContainerStatuses":[{"name":"i0","state":{"terminated":{"exitCode":0}}},{"name":"s","state":{"waiting":{"reason":"PodInitializing"}}}]}""", "Pending", "Init:1/2")]
    [InlineData("""{"phase":"Pending","initContainerStatuses":[{"name":"i0","state":{"waiting":{"reason":"CrashLoopBackOff"}}}]}""", "Pending", "Init:CrashLoopBackOff")]
    [InlineData("""{"phase":"Failed","initContainerStatuses":[{"name":"i0","state":{"terminated":{"exitCode":2}}}]}""", "Failed", "Init:ExitCode:2")]
    [InlineData("""{"phase":"Running","initContainerStatuses":[{"name":"i0","state":{"terminated":{"exitCode":0}}},{"name":"s","started":true,"state":{"running":{}}}],"containerStatuses":[{"name":"main","ready":true,"state":{"running":{}}}]}""", "Running", null)]
    [InlineData("""{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]}""", "Pending", "SchedulingGated")]
    [InlineData("""{"phase":"Running","deleted":true}""", "Running", "Terminating")]
    [InlineData("""{"phase":"Succeeded","deleted":true}""", "Succeeded", null)]
    [InlineData("""{"phase":"Running","reason":"NodeLost","deleted":true}""", "Running", "Unknown")]
    public void Its_reason_is_what_kubectl_shows_where_that_is_not_the_phase(string status, string phase, string? reason)
    {
        var pod = Pod();
        pod.Status = KubernetesJson.Deserialize<V1PodStatus>(status.Replace(",\"deleted\":true", "", StringComparison.Ordinal));
        if (status.Contains("deleted", StringComparison.Ordinal))
            pod.Metadata.DeletionTimestamp = DateTime.UnixEpoch;

        var now = PodNow.Of(pod, new());

        Assert.Equal((phase, reason), (now.Phase, now.Reason));
    }

    [Fact]
    [Trait("Scoreboard", "M18")]
    [Trait("Scoreboard", "M20")]
    public void Its_containers_say_what_they_run_ask_and_do()
    {
        var pod = Pod();
        pod.Spec.Priority = 1000;
        pod.Spec.PriorityClassName = "high";
        pod.Spec.InitContainers = [new() { Name = "i0", Image = "busybox:1" }];
        pod.Spec.Containers =
        [
            new() { Name = "main", Image = "registry.example/train:2", Resources = new() { Requests = Quantities("250m", "1.5Gi"), Limits = Quantities("2", "2000M") } },
        ];
        pod.Metadata.CreationTimestamp = DateTime.UnixEpoch;
        pod.Status = KubernetesJson.Deserialize<V1PodStatus>(
            """
            {"phase":"Running","startTime":"1970-01-01T00:00:09Z","conditions":[{"type":"Ready","status":"True"}],
             "initContainerStatuses":[{"name":"i0","ready":true,"state":{"terminated":{"exitCode":0,"reason":"Completed"}}}],
             "containerStatuses":[{"name":"main","ready":true,"restartCount":3,"state":{"running":{}},"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}
            """);

        var now = PodNow.Of(pod, new());

        Assert.Equal((true, 1000, "high", 0L, 9L), (now.Ready, now.Priority, now.PriorityClass, now.CreatedAt!.Value.ToUnixTimeSeconds(), now.StartedAt!.Value.ToUnixTimeSeconds()));
        Assert.Equal(
            [
                new("i0", "busybox:1", true, true, 0, "Terminated", "Completed", null, null, null, null, null),
                new("main", "registry.example/train:2", false, true, 3, "Running", null, "OOMKilled", 250, 2000, 1536, 1908),
            ],
            now.Containers);
    }

    [Theory]
    [InlineData("""{"phase":"Failed","message":"The node was low on resource: memory."}""", "The node was low on resource: memory.")]
    [InlineData("""{"phase":"Pending","containerStatuses":[{"name":"main","state":{"waiting":{"reason":"ErrImagePull","message":"not found"}}}]}""", "not found")]
    [InlineData("""{"phase":"Failed","containerStatuses":[{"name":"main","state":{"terminated":{"exitCode":1,"message":"bad flag"}}}]}""", "bad flag")]
    [InlineData("""{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","message":"0/2 nodes are available"}]}""", "0/2 nodes are available")]
    [InlineData("""{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"True","message":"old"}]}""", null)]
    public void Its_message_is_what_helps_most(string status, string? message)
    {
        var pod = Pod();
        pod.Status = KubernetesJson.Deserialize<V1PodStatus>(status);

        Assert.Equal(message, PodNow.Of(pod, new()).Message);
    }

    [Fact]
    public void What_is_kept_of_a_pod_has_bounds()
    {
        var pod = Pod();
        pod.Spec.InitContainers = null;
        pod.Spec.Containers = [.. Enumerable.Range(0, 300).Select(i => new V1Container { Name = $"c{i}", Image = new string('i', 9000) })];
        pod.Status = new() { Message = new string('m', 9000) };

        var now = PodNow.Of(pod, new());

        Assert.Equal((32, 250, 500), (now.Containers.Count, now.Containers[0].Image.Length, now.Message!.Length));
    }

    [Theory]
    [InlineData("nothing of ours", false)]
    [InlineData("our scheduler", true)]
    [InlineData("cards as a limit", true)]
    [InlineData("memory of a card of an init container", true)]
    [InlineData("an allocation of ours", true)]
    [InlineData("shares another scheduler gave it", true)]
    public void Only_pods_that_concern_cards_are_kept(string what, bool kept)
    {
        var (live, pod) = (new LivePods(AdmissionRules.Hami), Pod());
        switch (what)
        {
            case "our scheduler":
                pod.Spec.SchedulerName = "hami-scheduler";
                break;
            case "cards as a limit":
                pod.Spec.Containers[0].Resources = new() { Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = new("1") } };
                break;
            case "memory of a card of an init container":
                pod.Spec.InitContainers = [new() { Name = "i", Resources = new() { Requests = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["nvidia.com/gpumem"] = new("1") } } }];
                break;
            case "an allocation of ours":
                pod.Metadata.Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [Domain.Protocol.HamiKeys.AllocationId] = "1" };
                break;
            case "shares another scheduler gave it":
                pod.Metadata.Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [Domain.Protocol.HamiKeys.DevicesAllocated] = "" };
                break;
        }

        live.See(pod);

        Assert.Equal(kept, live.Find("uid-p") is not null);
    }

    [Fact]
    public void Beyond_the_bound_those_that_have_ended_go_first_and_then_the_oldest()
    {
        var live = new LivePods(AdmissionRules.Hami, most: 10);
        for (var i = 0; i < 9; i++)
            live.See(Ours($"runs-{i}", "Running", i));
        live.See(Ours("ended", "Succeeded", 100));
        Assert.Equal(10, live.Count);

        live.See(Ours("new", "Pending", 101));

        Assert.Null(live.Find("ended"));
        Assert.Null(live.Find("runs-0"));
        Assert.NotNull(live.Find("runs-1"));
        Assert.NotNull(live.Find("new"));
    }

    [Fact]
    public void A_list_takes_the_place_of_what_was_seen_before()
    {
        var live = new LivePods(AdmissionRules.Hami);
        live.See(Ours("a", "Running", 0));
        live.See(Ours("b", "Running", 0));

        live.Replace([Ours("b", "Failed", 0), Ours("c", "Pending", 0)]);
        live.Forget("c");

        Assert.Equal((null, "Failed", null), (live.Find("a")?.Phase, live.Find("b")?.Phase, live.Find("c")?.Phase));
    }

    [Fact]
    public void What_pods_have_in_common_is_kept_once()
    {
        var texts = new CommonTexts();
        var (a, b) = (PodNow.Of(Ours("a", "Running", 0), texts), PodNow.Of(Ours("b", "Running", 0), texts));

        Assert.Same(a.Containers[0].Image, b.Containers[0].Image);
        Assert.Same(a.Phase, b.Phase);
    }

    private static V1Pod Ours(string name, string phase, int second)
    {
        var pod = Pod();
        pod.Metadata = new() { Name = name, NamespaceProperty = "default", Uid = name, CreationTimestamp = DateTime.UnixEpoch.AddSeconds(second) };
        pod.Spec.SchedulerName = "hami-scheduler";
        pod.Spec.Containers[0].Image = new string("image:1".AsSpan());
        pod.Status = new() { Phase = new string(phase.AsSpan()) };
        return pod;
    }

    private static V1Pod Pod() => new()
    {
        Metadata = new() { Name = "p", NamespaceProperty = "default", Uid = "uid-p" },
        Spec = new()
        {
            InitContainers = [new() { Name = "i0" }, new() { Name = "s", RestartPolicy = "Always" }],
            Containers = [new() { Name = "main" }, new() { Name = "b" }],
        },
    };

    private static Dictionary<string, ResourceQuantity> Quantities(string cpu, string memory) => new(StringComparer.Ordinal) { ["cpu"] = new(cpu), ["memory"] = new(memory) };
}
