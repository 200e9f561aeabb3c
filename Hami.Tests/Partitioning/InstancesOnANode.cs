using Grpc.Core;
using Hami.Domain.Protocol;
using Hami.Tests.Allocating;
using k8s.Models;
using static Hami.Tests.Allocating.AgentOnANode;
using static Hami.Tests.Partitioning.MigNode;

namespace Hami.Tests.Partitioning;

/// <summary>Dynamic MIG through the whole agent and the pretended NVML.</summary>
public sealed class InstancesOnANode
{
    [Fact]
    [Trait("Node", "case 39")]
    [Trait("Scoreboard", "E01")]
    [Trait("Scoreboard", "E04")]
    public async Task A_pod_gets_the_instance_reserved_for_it_and_its_annotation_tells_which()
    {
        await using var node = await MigNode.Start();
        await node.Registered();
        var pod = Pod("p", "2g.10gb 2+2", "B 3g.20gb 4+4");
        node.Api.Put(pod);

        var answers = await node.Kubelet.Admit(pod);

        foreach (var answer in answers.Values)
        {
            Assert.Equal(["NVIDIA_VISIBLE_DEVICES"], answer.Envs.Keys);
            Assert.StartsWith("MIG-", answer.Envs["NVIDIA_VISIBLE_DEVICES"], StringComparison.Ordinal);
            Assert.Empty(answer.Mounts);
        }
        var uuids = answers.Values.Select(a => a.Envs["NVIDIA_VISIBLE_DEVICES"]).ToList();
        Assert.Equal(uuids.Order(), node.Uuids);
        var first = Assert.Single(node.Hand.Instances(A));
        Assert.Equal(("2g.10gb", 2, 2), (first.Seat.Profile, first.Seat.Place.Start, first.Seat.Place.Size));
        await Eventually(() => node.Told("p").All(m => m.MigUuid is not null));
        Assert.Equal(uuids, node.Told("p").Select(m => m.MigUuid));
        Assert.Equal((first.Id, first.Parts[0].Id), (node.Told("p")[0].GpuInstanceId, node.Told("p")[0].ComputeInstanceId));
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
        await node.Kubelet.PreStart(pod, "c0");
    }

    [Fact]
    [Trait("Node", "case 39")]
    public async Task Asked_again_the_answer_is_the_same_instance()
    {
        await using var node = await MigNode.Start();
        await node.Registered();
        var pod = Pod("p", "2g.10gb 2+2");
        var uuid = Assert.Single(await node.Run(pod));

        await node.RestartKubelet(forgets: true);
        await node.Registered();
        Assert.Equal(uuid, (await node.Kubelet.Admit(pod))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Equal([uuid], node.Uuids);
    }

    [Theory]
    [Trait("Node", "case 40")]
    [InlineData("nvmlDeviceCreateGpuInstanceWithPlacement:2:23")]
    [InlineData("nvmlGpuInstanceCreateComputeInstance:2:23")]
    [InlineData("nvmlComputeInstanceGetInfo_v2:2:999")]
    public async Task A_failure_is_a_clear_event_and_leaves_nothing_half_made(string failure)
    {
        await using var node = await MigNode.Start();
        await node.Registered();
        var pod = Pod("p", "2g.10gb 2+2", "3g.20gb 4+4");
        node.Cards.Fail(failure);

        var error = await Assert.ThrowsAsync<RpcException>(() => node.Run(pod));

        Assert.Contains("default/p", error.Status.Detail, StringComparison.Ordinal);
        await Eventually(() => node.Api.Phase("p") == BindPhases.Failed && node.Api.Events.Any(e => e.Contains("AllocationRefused", StringComparison.Ordinal)));
        node.Cards.Fail("");
        // The kubelet rejects all of the pod, the container too that had its instance.
        await Eventually(() => node.Cards.Instances.Length == 0);
    }

    [Theory]
    [Trait("Node", "case 40")]
    [InlineData("2g.10gb 1+2", "which NVML does not offer there")]
    [InlineData("2g.10gb 0+2", "was made by others than this agent")]
    public async Task What_cannot_be_had_is_refused_with_a_sentence(string seat, string says)
    {
        await using var node = await MigNode.Start(before: n => n.Hand.CreateComputeInstance(A, n.Hand.CreateGpuInstance(MigGiven.Seat($"{A} 1g.5gb 0+1"))));
        await node.Registered();

        Assert.Contains(says, (await Assert.ThrowsAsync<RpcException>(() => node.Run(Pod("p", seat)))).Status.Detail, StringComparison.Ordinal);
        Assert.Single(node.Uuids);
    }

    [Fact]
    [Trait("Node", "case 40")]
    public async Task Reservations_that_do_not_fit_the_devices_are_refused()
    {
        await using var node = await MigNode.Start();
        await node.Registered();
        var none = Pod("none", "2g.10gb 2+2");
        none.Metadata.Annotations.Remove(HamiKeys.MigAllocations);
        var other = Pod("other", "2g.10gb 2+2");
        other.SetAnnotation(HamiKeys.DevicesAllocated, $"{B},NVIDIA,9984,29:;");

        Assert.Contains("names 0 MIG instances for it", (await Assert.ThrowsAsync<RpcException>(() => node.Run(none))).Status.Detail, StringComparison.Ordinal);
        Assert.Contains($"was given card {B}, but a MIG instance of card {A}", (await Assert.ThrowsAsync<RpcException>(() => node.Run(other))).Status.Detail, StringComparison.Ordinal);
        Assert.Empty(node.Cards.Instances);
    }

    [Fact]
    [Trait("Node", "case 42")]
    [Trait("Scoreboard", "E06")]
    public async Task The_instance_goes_when_its_pod_has_ended_or_is_gone_and_not_because_the_pod_is_to_go()
    {
        await using var node = await MigNode.Start();
        await node.Registered();
        var ending = await node.Run(Pod("ending", "1g.5gb 6+1"));
        var succeeded = await node.Run(Pod("succeeded", "1g.5gb 5+1"));
        var deleted = await node.Run(Pod("deleted", "1g.5gb 4+1"));
        var unreadable = await node.Run(Pod("unreadable", "1g.5gb 3+1"));
        node.Is("unreadable", "Running", containers: Running);
        await Eventually(() => node.Told("unreadable")[0].MigUuid is not null);
        var broken = node.Api.Pod("unreadable");
        broken.SetAnnotation(HamiKeys.MigAllocations, "oops");
        node.Api.Put(broken);

        node.Is("ending", "Running", ending: true, Running);
        node.Is("succeeded", "Succeeded", containers: Ended);
        node.Api.Delete("deleted");

        await Eventually(() => node.Uuids.Count == 2);
        Assert.Equal(ending.Concat(unreadable).Order(), node.Uuids);
        // Others are served meanwhile, in the very slices that were given back.
        var next = await node.Run(Pod("next", "2g.10gb 4+2"));
        Assert.Equal(ending.Concat(unreadable).Concat(next).Order(), node.Uuids);
        node.Is("ending", "Running", ending: true, Ended);
        await Eventually(() => node.Uuids.Count == 2);
        Assert.DoesNotContain(succeeded.Concat(deleted).Concat(ending), node.Uuids.Contains);
    }

    [Fact]
    [Trait("Node", "case 42")]
    public async Task With_the_API_server_away_nothing_is_destroyed_and_what_is_to_be_told_is_told_later()
    {
        await using var node = await MigNode.Start();
        await node.Registered();
        await node.Run(Pod("p", "1g.5gb 6+1"));
        var q = Pod("q", "1g.5gb 5+1");
        node.Api.Put(q);
        await Task.Delay(300);
        node.Api.Away = true;
        await node.Kubelet.Admit(q);
        await node.Restart();
        await Task.Delay(1500);
        Assert.Equal(2, node.Uuids.Count);

        node.Api.Away = false;
        await Eventually(() => node.Told("q")[0].MigUuid is not null);
        Assert.Equal(2, node.Uuids.Count);
    }

    [Fact]
    [Trait("Node", "case 43")]
    [Trait("Scoreboard", "E07")]
    public async Task After_a_kill_every_instance_is_known_again_whatever_else_is_on_the_node()
    {
        await using var node = await MigNode.Start(before: n => n.Hand.CreateComputeInstance(B, n.Hand.CreateGpuInstance(MigGiven.Seat($"{B} 1g.5gb 0+1"))));
        await node.Registered();
        var foreign = node.Uuids;
        var kept = Pod("kept", "2g.10gb 2+2");
        var uuids = await node.Run(kept);
        await node.Run(Pod("over", "1g.5gb 6+1"));
        await Eventually(() => node.Told("kept")[0].MigUuid is not null && node.Told("over")[0].MigUuid is not null);
        node.Kill();
        node.Is("kept", "Running", containers: Running);
        node.Is("over", "Succeeded", containers: Ended);
        // One that waits, and one that nobody can read: neither holds up the rest.
        node.Api.Put(Pod("pending", "1g.5gb 5+1"));
        var unreadable = NodePods.Pod("unreadable", null, [1]);
        unreadable.Metadata.Annotations = new Dictionary<string, string> { [HamiKeys.MigAllocations] = "[{]" };
        node.Api.Put(unreadable);

        await Eventually(() => node.Kubelet.Health.Count == 0);
        await node.StartAgent();
        await node.Registered();

        await Eventually(() => node.Uuids.Count == 2);
        Assert.Equal(foreign.Concat(uuids).Order(), node.Uuids);
        await node.RestartKubelet(forgets: true);
        await node.Registered();
        Assert.Equal(uuids[0], (await node.Kubelet.Admit(kept))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        node.Api.Delete("kept");
        await Eventually(() => node.Uuids.Count == 1);
        Assert.Equal(foreign, node.Uuids);
    }

    [Fact]
    [Trait("Scoreboard", "E07")]
    public async Task Instances_that_HAMis_plugin_made_are_taken_over_by_the_pods_annotations()
    {
        var pod = Pod("p", "2g.10gb 2+2");
        await using var node = await MigNode.Start(before: n =>
        {
            var id = n.Hand.CreateGpuInstance(MigGiven.Seat($"{A} 2g.10gb 2+2"));
            var part = n.Hand.CreateComputeInstance(A, id);
            pod.SetAnnotation(HamiKeys.MigAllocations, MigAllocations.Encode(
                MigAllocations.Decode(pod.GetAnnotation(HamiKeys.MigAllocations)).Select(m => m with { MigUuid = n.Hand.Uuid(A, id, part), GpuInstanceId = id, ComputeInstanceId = part })));
        });
        pod.Status.Phase = "Running";
        node.Api.Put(pod);
        await node.Registered();
        Assert.Single(node.Uuids);
        // Seen at the next full look.
        await Eventually(() => File.Exists(node.Book) && File.ReadAllText(node.Book).Contains("uid-p", StringComparison.Ordinal));

        node.Api.Delete("p");
        await Eventually(() => node.Uuids.Count == 0);
    }

    [Fact]
    [Trait("Scoreboard", "E01")]
    public async Task A_pod_whose_slices_the_scheduler_took_back_before_we_heard_of_it_gets_them()
    {
        await using var node = await MigNode.Start();
        await node.Registered();
        await node.Run(Pod("old", "7g.40gb 0+8"));
        node.Api.WatchIsLate = true;
        node.Is("old", "Succeeded", containers: Ended);

        var uuid = Assert.Single(await node.Run(Pod("new", "3g.20gb 4+4")));
        Assert.Equal([uuid], node.Uuids);
    }

    [Fact]
    public async Task A_container_whose_instance_a_reset_took_away_does_not_start_on_another()
    {
        await using var node = await MigNode.Start();
        await node.Registered();
        var pod = Pod("p", "2g.10gb 2+2");
        var given = Assert.Single(await node.Run(pod));
        await Eventually(() => node.Told("p")[0].MigUuid is not null);
        await node.Kubelet.PreStart(pod, "c0");
        var before = Assert.Single(node.Hand.Instances(A));
        node.Hand.DestroyComputeInstance(A, before.Id, 0);
        node.Hand.DestroyGpuInstance(A, before.Id);

        // Whether an instance made anew has the UUID of the old one is the driver's to say.
        var error = await Record.ExceptionAsync(() => node.Kubelet.PreStart(pod, "c0"));

        var now = Assert.Single(node.Uuids);
        if (now == given)
            Assert.Null(error);
        else
            Assert.Contains($"was given the MIG device {given}, which is gone", Assert.IsType<RpcException>(error).Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_runtime_that_is_told_by_CDI_knows_the_instance_before_the_container_starts()
    {
        await using var node = await MigNode.Start(before: n => n.Handing = new() { Strategies = [Hami.NodeAgent.Allocating.DeviceListStrategy.CdiCri] });
        await node.Registered();
        var pod = Pod("p", "2g.10gb 2+2");
        node.Api.Put(pod);

        var answer = (await node.Kubelet.Admit(pod))["c0"];

        var uuid = Assert.Single(node.Uuids);
        Assert.Equal($"k8s.device-plugin.nvidia.com/gpu={uuid}", Assert.Single(answer.CdiDevices).Name);
        Assert.Empty(answer.Envs);
        var spec = Path.Combine(node.CdiFolder, "k8s.device-plugin.nvidia.com-gpu.json");
        Assert.Contains(uuid, await File.ReadAllTextAsync(spec, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        // The next agent tells of it too, though it has handed out nothing yet.
        await node.Restart();
        await Eventually(() => File.ReadAllText(spec).Contains(uuid, StringComparison.Ordinal));
    }
}
