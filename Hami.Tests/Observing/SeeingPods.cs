using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Observing;

/// <summary>What is kept of a pod that the watch tells.</summary>
public sealed class SeeingPods
{
    [Theory]
    [Trait("Scoreboard", "A23")]
    [InlineData("none of its init containers has said anything", "", "", false)]
    [InlineData("one of two has ended", "i0=0", "", false)]
    [InlineData("both have ended", "i0=0 i1=0", "", true)]
    [InlineData("one has failed", "i0=0 i1=1", "", false)]
    [InlineData("one runs", "i0=0 i1=running", "", false)]
    [InlineData("the sidecar does not count", "i0=0 i1=0 s=running", "", true)]
    [InlineData("only the sidecar has ended", "s=0", "", false)]
    [InlineData("an app container runs", "i0=0", "c0=running", true)]
    [InlineData("an app container has run", "", "c0=1", true)]
    [InlineData("an app container waits", "i0=0", "c0=waiting", false)]
    public void Its_init_containers_have_ended_when_all_of_the_spec_have_succeeded(string what, string inits, string apps, bool ended)
    {
        var pod = Pod([Init("i0"), Init("i1"), Init("s", sidecar: true)]);
        pod.Status = new() { InitContainerStatuses = Statuses(inits), ContainerStatuses = Statuses(apps) };
        Assert.True(ended == Seen(pod).InitsEnded, what);
    }

    [Theory]
    [Trait("Scoreboard", "A24")]
    [InlineData(false)]
    [InlineData(true)]
    public void A_pod_without_ending_init_containers_never_gets_there(bool sidecar)
    {
        var pod = Pod(sidecar ? [Init("s", sidecar: true)] : []);
        pod.Status = new() { InitContainerStatuses = Statuses("s=0"), ContainerStatuses = Statuses("c0=running") };
        Assert.False(Seen(pod).InitsEnded);
    }

    [Fact]
    public void What_it_asks_of_its_node_is_its_largest_moment()
    {
        var pod = Pod([Init("i0", "3", "100Mi"), Init("s", "500m", "1Gi", sidecar: true), Init("i1", "1", "4Gi")]);
        pod.Spec.Containers[0].Resources = Asks("250m", "1.5Gi");
        pod.Spec.Overhead = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new("10m") };
        pod.Spec.Priority = 1000;
        var seen = Seen(pod);
        Assert.Equal(new HostRoom(3010, 5 * 1024), HostRooms.Ask(pod, ResourceNames.Nvidia));
        Assert.Equal(1000, seen.Priority);
    }

    [Fact]
    public void Numbers_that_no_node_has_do_not_end_the_watch_of_all_pods()
    {
        var pod = Pod([]);
        pod.Spec.Containers = [.. Enumerable.Range(0, 3).Select(i => new V1Container { Name = $"c{i}", Resources = Asks("9223372036854775", "9223372036854775807") })];

        Assert.NotNull(Seen(pod));
        Assert.True(HostRooms.Ask(pod, ResourceNames.Nvidia).CpuMilli > 0);
    }

    [Fact]
    public void A_pod_without_a_node_holds_nothing_whatever_its_annotations_say()
    {
        var pod = Pod([]);
        pod.Metadata.Annotations = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["hami.io/vgpu-node"] = "n1", ["hami.io/vgpu-devices-allocated"] = "GPU-a,NVIDIA,1,1:;",
        };
        Assert.NotNull(Seen(pod).Foreign);
        pod.Spec.NodeName = null;
        Assert.Null(Seen(pod).Foreign);
    }

    [Fact]
    public void What_the_watch_passes_over_is_missed_nowhere()
    {
        var pods = Recordings.Pods().Select(p => p.ToJsonString()).Append(Everything).ToList();
        Assert.True(pods.Count > 20);
        foreach (var text in pods)
        {
            var whole = KubernetesJson.Deserialize<V1Pod>(text);
            var (type, told) = PodWatch.Read(Encoding.UTF8.GetBytes($$"""{"type":"MODIFIED","object":{{text}}}"""));

            Assert.Equal(WatchEventType.Modified, type);
            Assert.Equivalent(Seen(whole), Seen(told), strict: true);
            Assert.Equivalent(PodNow.Of(whole, new()), PodNow.Of(told, new()), strict: true);
            Assert.Equal(HostRooms.Ask(whole, ResourceNames.Nvidia), HostRooms.Ask(told, ResourceNames.Nvidia));
            Assert.Equal((whole.Status?.NominatedNodeName, whole.ResourceVersion()), (told.Status?.NominatedNodeName, told.ResourceVersion()));
            Assert.Null(told.Spec.Volumes);
        }
    }

    [Fact]
    public void What_the_watch_passes_over_has_the_names_that_the_client_knows()
    {
        foreach (var (type, names) in PodWatch.PassedOver)
            Assert.Subset(type.GetProperties().Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? p.Name)).ToHashSet(), names.ToHashSet());
    }

    private const string Everything = """
        {"metadata":{"name":"p","namespace":"n","uid":"u","resourceVersion":"7","generation":2,"labels":{"a":"b"},"ownerReferences":[{"kind":"Job","name":"j","uid":"x","apiVersion":"batch/v1","controller":true}],
         "annotations":{"hami.io/vgpu-devices-allocated":"GPU-a,NVIDIA,1024,10:;","hami.io/vgpu-node":"n1","hami.io/bind-phase":"success"},"managedFields":[{"manager":"m"}]},
         "spec":{"nodeName":"n1","priority":5,"priorityClassName":"high","schedulerName":"hami-scheduler","overhead":{"cpu":"10m"},"tolerations":[{"operator":"Exists"}],"volumes":[{"name":"v","emptyDir":{}}],
          "affinity":{"nodeAffinity":{}},"securityContext":{"runAsUser":1},"initContainers":[{"name":"i","image":"x","env":[{"name":"A","value":"B"}],"resources":{"requests":{"cpu":"2"}}}],
          "containers":[{"name":"c","image":"y","command":["z"],"volumeMounts":[{"name":"v","mountPath":"/v"}],"resources":{"limits":{"nvidia.com/gpu":"1","memory":"1Gi"},"requests":{"cpu":"500m"}}}]},
         "status":{"phase":"Running","startTime":"2026-03-01T00:00:00Z","nominatedNodeName":"n2","podIPs":[{"ip":"10.0.0.1"}],"conditions":[{"type":"Ready","status":"True"}],
          "initContainerStatuses":[{"name":"i","image":"x","imageID":"","ready":true,"restartCount":0,"state":{"terminated":{"exitCode":0,"startedAt":"2026-03-01T00:00:00Z"}}}],
          "containerStatuses":[{"name":"c","image":"y","imageID":"","ready":true,"restartCount":3,"resources":{"limits":{"memory":"1Gi"}},"volumeMounts":[{"name":"v","mountPath":"/v"}],
           "state":{"running":{}},"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled"}}}]}}
        """;

    private static SeenPod Seen(V1Pod pod) => SeenPod.Of(pod, NvidiaConfig.Hami);

    private static V1Pod Pod(IList<V1Container> inits) => new()
    {
        Metadata = new() { Name = "p", NamespaceProperty = "default", Uid = "uid-p" },
        Spec = new() { NodeName = "n1", InitContainers = inits, Containers = [new() { Name = "c0" }] },
    };

    private static V1Container Init(string name, string cpu = "0", string memory = "0", bool sidecar = false) =>
        new() { Name = name, RestartPolicy = sidecar ? "Always" : null, Resources = Asks(cpu, memory) };

    private static V1ResourceRequirements Asks(string cpu, string memory) => new()
    {
        Requests = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new(cpu), ["memory"] = new(memory) },
    };

    private static List<V1ContainerStatus> Statuses(string texts) =>
    [
        .. texts.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(t => t.Split('=')).Select(t => new V1ContainerStatus
        {
            Name = t[0],
            State = t[1] switch
            {
                "running" => new() { Running = new() },
                "waiting" => new() { Waiting = new() { Reason = "PodInitializing" } },
                var code => new() { Terminated = new() { ExitCode = int.Parse(code), StartedAt = DateTime.UnixEpoch } },
            },
        }),
    ];
}
