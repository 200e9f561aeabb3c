extern alias agent;

using agent::Kubelet.DevicePlugin.V1Beta1;
using Google.Protobuf;
using Hami.NodeAgent.Allocating;
using static Hami.Tests.Allocating.NodePods;

namespace Hami.Tests.Allocating;

public sealed class CheckingBeforeTheStart
{
    private static readonly PodOnNode P = Seen(Pod("p", "GPU-a,NVIDIA,3000,50:;", [1]));
    private static readonly PodOnNode Q = Seen(Pod("q", "GPU-a,NVIDIA,9000,90:;", [1]));

    [Fact]
    public void The_kubelets_checkpoint_is_read_with_its_ids_and_with_our_own_answer_in_it()
    {
        var answer = new ContainerAllocateResponse { Mounts = { new Mount { ContainerPath = "/usr/local/vgpu", HostPath = "/usr/local/vgpu/containers/uid-p_c0" } } };
        var entries = Checkpoint.Parse($$$"""
            {"Data":{"PodDeviceEntries":[
              {"PodUID":"uid-p","ContainerName":"c0","ResourceName":"nvidia.com/gpu","DeviceIDs":{"-1":["GPU-a-1"],"0":["GPU-a-0"]},
               "AllocResp":"{{{answer.ToByteString().ToBase64()}}}"},
              {"PodUID":"uid-x","ContainerName":"c0","ResourceName":"example.com/other","DeviceIDs":{"0":["x"]},"AllocResp":null},
              {"PodUID":"uid-q","ContainerName":"c1","ResourceName":"nvidia.com/gpu","DeviceIDs":["GPU-b-0"],"AllocResp":null}],
             "RegisteredDevices":{"nvidia.com/gpu":[]}},"Checksum":1}
            """, Resource, "/usr/local/vgpu");

        Assert.Equal(["uid-p/c0", "uid-q/c1"], entries.Select(e => $"{e.PodUid}/{e.Container}"));
        Assert.True(entries[0].DeviceIds.SetEquals(["GPU-a-0", "GPU-a-1"]));
        Assert.Equal("/usr/local/vgpu/containers/uid-p_c0", entries[0].PreparedFor);
        Assert.Null(entries[1].PreparedFor);
    }

    [Theory]
    [InlineData("{\"Data\":{\"PodDeviceEntries\":null}}", 0)]
    [InlineData("{\"Data\":{}}", 0)]
    public void A_checkpoint_without_entries_is_empty(string json, int entries) =>
        Assert.Equal(entries, Checkpoint.Parse(json, Resource, "/usr/local/vgpu").Count);

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"Data\":{\"PodDeviceEntries\":[{}]}}")]
    public void Anything_else_is_no_checkpoint(string json) =>
        Assert.Throws<FormatException>(() => Checkpoint.Parse(json, Resource, "/usr/local/vgpu"));

    [Fact]
    public void The_answer_that_the_kubelet_kept_decides() =>
        Assert.Equal([("uid-p", "c0")], Verdict(checkpoint: [Entry("uid-p", "c0", "/vgpu/uid-p_c0")]).Containers);

    [Fact]
    public void An_answer_made_for_another_pod_is_refused_by_name() =>
        Assert.Contains("default/p were prepared for another container (uid-q_c0)",
            Verdict(checkpoint: [Entry("uid-p", "c0", "/vgpu/uid-q_c0")]).Refusal, StringComparison.Ordinal);

    [Fact]
    public void Without_a_kept_answer_our_own_record_decides()
    {
        Assert.Null(Verdict([Entry("uid-p", "c0")], ours: [Ours("uid-p", "c0")]).Refusal);
        Assert.Contains("prepared for container c0 of pod default/q", Verdict([Entry("uid-p", "c0")], ours: [Ours("uid-q", "c0")]).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void After_a_restart_of_the_agent_the_pods_annotations_stand_in_for_the_record()
    {
        Assert.Null(Verdict([Entry("uid-p", "c0")]).Refusal);
        Assert.Contains("did not give it", Verdict([Entry("uid-p", "c7")]).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Entries_of_pods_that_are_gone_do_not_count() =>
        Assert.Equal([("uid-p", "c0")], Verdict([Entry("uid-gone", "c0", "/vgpu/uid-gone_c0"), Entry("uid-p", "c0", "/vgpu/uid-p_c0")]).Containers);

    [Fact]
    public void Ids_that_nobody_holds_are_refused_for_now() =>
        Assert.Contains("no living pod", Verdict([]).Refusal, StringComparison.Ordinal);

    [Fact]
    public void With_the_API_server_away_the_kept_answer_is_enough_to_restart_a_container() =>
        Assert.Equal([("uid-p", "c0")], Verdict([Entry("uid-p", "c0", "/vgpu/uid-p_c0")], podsKnown: false).Containers);

    [Fact]
    public void Without_a_checkpoint_the_listing_is_held_against_our_record()
    {
        Assert.Null(Verdict(null, [Listed("p", "c0=GPU-a-0")], [Ours("uid-p", "c0")]).Refusal);
        Assert.Contains("prepared for pod default/q", Verdict(null, [Listed("p", "c0=GPU-a-0")], [Ours("uid-q", "c0")]).Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_both_a_single_record_starts_with_a_warning_and_two_do_not()
    {
        var one = Verdict(null, ours: [Ours("uid-p", "c0")]);
        Assert.Null(one.Refusal);
        Assert.Contains("our record alone", one.Warning, StringComparison.Ordinal);
        Assert.NotNull(Verdict(null, ours: [Ours("uid-p", "c0"), Ours("uid-q", "c0")]).Refusal);
        Assert.NotNull(Verdict(null).Refusal);
    }

    private static StartVerdict Verdict(
        CheckpointEntry[]? checkpoint, ListedPod[]? listing = null, HandOut[]? ours = null, bool podsKnown = true) =>
        StartVerdict.Decide(Set("GPU-a-0"), checkpoint, listing, ours ?? [], podsKnown ? [P, Q] : [], podsKnown, (uid, c) => $"/vgpu/{uid}_{c}");

    private static CheckpointEntry Entry(string uid, string container, string? preparedFor = null) => new(uid, container, Set("GPU-a-0"), preparedFor);

    private static HandOut Ours(string uid, string container) => new(uid, container, Set("GPU-a-0"));

    private static HashSet<string> Set(params string[] ids) => ids.ToHashSet(StringComparer.Ordinal);
}
