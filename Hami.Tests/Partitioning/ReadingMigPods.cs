using Hami.Domain.Protocol;
using Hami.NodeAgent.Partitioning;
using Hami.Tests.Given;
using k8s.Models;

namespace Hami.Tests.Partitioning;

/// <summary>Pods as holders of instances.</summary>
public sealed class ReadingMigPods
{
    [Theory]
    [InlineData("Pending", false, "", false)]
    [InlineData("Running", false, "running", false)]
    [InlineData("Running", false, "ended", false)]
    [InlineData("Running", true, "running", false)]
    [InlineData("Running", true, "waiting", false)]
    [InlineData("Pending", true, "", false)]
    [InlineData("Running", true, "ended", true)]
    [InlineData("Succeeded", false, "ended", true)]
    [InlineData("Failed", false, "", true)]
    [InlineData("Failed", true, "running", false)]
    public void A_pod_is_over_when_nothing_of_it_runs_or_will(string phase, bool ending, string container, bool over)
    {
        var pod = MigNode.Pod("p", "1g.5gb 0+1");
        pod.Metadata.DeletionTimestamp = ending ? DateTime.UnixEpoch : null;
        pod.Status = new() { Phase = phase, ContainerStatuses = container.Length == 0 ? null : [new() { Name = "c0", Image = "", ImageID = "", State = State(container) }] };
        Assert.Equal(over, MigPod.Of(pod.AsTold(), trusted: true).Over);
    }

    [Fact]
    public void A_pod_that_is_to_go_stays_while_one_container_or_a_sidecar_runs()
    {
        var pod = MigNode.Pod("p", "1g.5gb 0+1", "1g.5gb 1+1");
        pod.Metadata.DeletionTimestamp = DateTime.UnixEpoch;
        pod.Status = new() { Phase = "Running", ContainerStatuses = [Status("c0", "ended"), Status("c1", "running")] };
        Assert.False(MigPod.Of(pod.AsTold(), trusted: true).Over);
        pod.Status.ContainerStatuses[1] = Status("c1", "ended");
        pod.Status.InitContainerStatuses = [Status("sidecar", "running")];
        Assert.False(MigPod.Of(pod.AsTold(), trusted: true).Over);
        pod.Status.InitContainerStatuses = null;
        Assert.True(MigPod.Of(pod.AsTold(), trusted: true).Over);
    }

    [Fact]
    [Trait("Node", "case 50")]
    public void Indexes_count_init_containers_first_and_one_that_no_container_has_is_skipped()
    {
        var pod = MigNode.Pod("p", "1g.5gb 0+1", "1g.5gb 1+1", "1g.5gb 2+1", "1g.5gb 3+1");
        pod.Spec.InitContainers = [new() { Name = "init" }];
        pod.Spec.Containers = [.. pod.Spec.Containers.Take(2)];
        Assert.Equal(["init", "c0", "c1"], MigPod.Of(pod.AsTold(), trusted: true).Reservations.Select(r => r.Container));
        Assert.Equal([true, false, false], MigPod.Of(pod.AsTold(), trusted: true).Reservations.Select(r => r.EndsBeforeApps));
        pod.Spec.InitContainers[0].RestartPolicy = "Always";
        Assert.False(MigPod.Of(pod.AsTold(), trusted: true).Reservations[0].EndsBeforeApps);
    }

    [Theory]
    [Trait("Node", "case 41")]
    [InlineData("oops")]
    [InlineData("""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"g","profile":"1g.5gb","placement":{"start":0,"size":0}}]""")]
    [InlineData("""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"g","profile":"1g.5gb","placement":{"start":0,"size":1},"migUUID":"MIG-1"}]""")]
    public void A_record_that_cannot_be_read_reserves_nothing(string text)
    {
        var pod = MigNode.Pod("p", "1g.5gb 0+1");
        pod.SetAnnotation(HamiKeys.MigAllocations, text);
        Assert.Empty(MigPod.Of(pod.AsTold(), trusted: true).Reservations);
    }

    [Fact]
    public void Init_containers_have_ended_when_the_scheduler_says_so_too()
    {
        var pod = MigNode.Pod("p", "1g.5gb 0+1");
        Assert.False(MigPod.Of(pod.AsTold(), trusted: true).InitsEnded);
        pod.Spec.InitContainers = [new() { Name = "init" }];
        Assert.False(MigPod.Of(pod.AsTold(), trusted: true).InitsEnded);
        pod.Status.InitContainerStatuses = [Status("init", "failed")];
        Assert.False(MigPod.Of(pod.AsTold(), trusted: true).InitsEnded);
        pod.Status.InitContainerStatuses = [Status("init", "ended")];
        Assert.True(MigPod.Of(pod.AsTold(), trusted: true).InitsEnded);
        pod.Status.InitContainerStatuses = null;
        pod.Status.ContainerStatuses = [Status("c0", "running")];
        Assert.True(MigPod.Of(pod.AsTold(), trusted: true).InitsEnded);
    }

    [Theory]
    [InlineData("7g.79gb 0+8", "7g.80gb 0+8", true)]
    [InlineData("3g.20gb 0+4", "4g.20gb 0+4", false)]
    [InlineData("1g.5gb 0+1", "1g.5gb+me 0+1", false)]
    [InlineData("1g.5gb 0+1", "1g.5gb-me 0+1", false)]
    [InlineData("1g.5gb 0+1", "1g.10gb 0+2", false)]
    [InlineData("1g.5gb 0+1", "GPU-b 1g.5gb 0+1", false)]
    public void A_seat_is_the_same_by_card_place_and_kind_whatever_memory_its_name_tells(string one, string other, bool same) =>
        Assert.Equal(same, MigGiven.Seat(one).Is(MigGiven.Seat(other)));

    private static V1ContainerStatus Status(string name, string state) => new() { Name = name, Image = "", ImageID = "", State = State(state) };

    private static V1ContainerState State(string word) => word switch
    {
        "running" => new() { Running = new() },
        "ended" => new() { Terminated = new() { ExitCode = 0 } },
        "failed" => new() { Terminated = new() { ExitCode = 1 } },
        _ => new() { Waiting = new() },
    };
}
