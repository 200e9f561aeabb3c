extern alias agent;

using Grpc.Core;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Allocating;
using k8s.Models;
using static Hami.Tests.Allocating.AgentOnANode;
using static Hami.Tests.Allocating.NodePods;

namespace Hami.Tests.Allocating;

/// <summary>The agent, its sockets, a kubelet and an API server in one process.</summary>
public sealed class AllocatingOnANode
{
    private const string A = "GPU-a,NVIDIA,3000,50:";
    private const string B = "GPU-b,NVIDIA,4000,60:";

    [Fact]
    [Trait("Scoreboard", "F06")]
    public async Task A_bound_pod_gets_its_card_and_is_marked_a_success_with_nothing_left()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{B};", [1]));

        var answer = (await node.Kubelet.Admit(pod))["c0"];

        Assert.Equal("GPU-b", answer.Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Equal("", node.Limits("uid-p_c0"));
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
        Assert.Equal(";", node.Api.Pod("p").GetAnnotation(HamiKeys.DevicesToAllocate));
        await node.Kubelet.PreStart(pod, "c0");
        Assert.StartsWith("hami-limits 1\ncard GPU-b memory 4194304000 cores 60\n", node.Limits("uid-p_c0"), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "F07")]
    public async Task Every_container_gets_its_own_cards_and_the_phase_waits_for_the_last()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};;{B};{A}{B};", [0, 1, 2], [1]));

        var answers = await node.Kubelet.Admit(pod);

        Assert.Equal("GPU-a", answers["i0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Equal("GPU-b", answers["c1"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Equal("GPU-a,GPU-b", answers["c2"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
        Assert.Equal(";;;;", node.Api.Pod("p").GetAnnotation(HamiKeys.DevicesToAllocate));
        // The init container's ids came again for c1.
        foreach (var container in new[] { "i0", "c1", "c2" })
            await node.Kubelet.PreStart(pod, container);
    }

    [Fact]
    public async Task The_kubelet_is_asked_once_for_a_container_that_takes_the_devices_preferred_for_it()
    {
        await using var node = await Start();

        await node.Kubelet.Admit(node.Bind(Pod("p", $"{A};{B};", [1, 1])));

        Assert.Equal(2, node.Kubelet.Listings);
    }

    [Fact]
    public async Task What_was_preferred_for_a_pod_that_was_then_rejected_does_not_decide_whose_the_next_Allocate_is()
    {
        await using var node = await Start();
        var (rejected, next) = (node.Bind(Pod("a", $"{A};", [1])), node.Bind(Pod("b", $"{B};", [1])));
        await node.Kubelet.RejectAfterThePreference(rejected);

        var answers = await node.Kubelet.AllocateAtOnce(next, [node.Kubelet.Health.Keys.First(id => id.StartsWith("GPU-b", StringComparison.Ordinal))]);

        Assert.Equal("GPU-b", Assert.Single(answers).Envs["NVIDIA_VISIBLE_DEVICES"]);
    }

    [Fact]
    public async Task A_pod_that_the_watch_has_not_seen_is_read_from_the_API_server()
    {
        await using var node = await Start();
        node.Api.WatchIsLate = true;
        var pod = node.Bind(Pod("p", $"{B};", [1]));

        Assert.Equal("GPU-b", (await node.Kubelet.Admit(pod))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        await node.Kubelet.PreStart(pod, "c0");
    }

    [Fact]
    public async Task A_new_pod_of_an_old_ones_name_gets_its_own_cards_though_the_watch_is_late()
    {
        await using var node = await Start();
        await node.Kubelet.Admit(node.Bind(Pod("p", $"{A};", [1])));
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
        node.Api.WatchIsLate = true;
        node.Api.Delete("p");
        var again = Pod("p", $"{B};", [1]);
        again.Metadata.Uid = "uid-again";

        Assert.Equal("GPU-b", (await node.Kubelet.Admit(node.Bind(again)))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
    }

    [Fact]
    public async Task A_new_pod_gets_its_own_cards_though_the_watch_still_tells_of_one_of_its_name_that_was_never_admitted()
    {
        await using var node = await Start();
        node.Bind(Pod("p", $"{A};", [1]));
        await Task.Delay(300);
        node.Api.WatchIsLate = true;
        node.Api.Delete("p");
        var again = Pod("p", $"{B};", [1]);
        again.Metadata.Uid = "uid-again";

        var answer = (await node.Kubelet.Admit(node.Bind(again)))["c0"];

        Assert.Equal("GPU-b", answer.Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Contains("uid-again_c0", answer.Mounts[0].HostPath, StringComparison.Ordinal);
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
    }

    [Fact]
    public async Task Without_pod_resources_pods_are_served_in_the_order_of_their_binding()
    {
        await using var node = await Start(podResources: false);
        var first = node.Bind(Pod("p1", $"{A};{B};", [1, 1]));
        var second = node.Bind(Pod("p2", $"{B};", [1]));

        var answers = await node.Kubelet.Admit(first);
        Assert.Equal(["GPU-a", "GPU-b"], answers.Values.Select(a => a.Envs["NVIDIA_VISIBLE_DEVICES"]));
        Assert.Contains("uid-p2_c0", (await node.Kubelet.Admit(second))["c0"].Mounts[0].HostPath, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "F06")]
    public async Task More_ids_than_cards_is_a_sentence_and_the_pod_is_marked_failed()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};", [2]));

        var error = await Assert.ThrowsAsync<RpcException>(() => node.Kubelet.Admit(pod));

        Assert.Equal(StatusCode.Internal, error.StatusCode);
        Assert.Equal("Container c0 of pod default/p was given 1 cards by the scheduler, but the kubelet asks for 2; create the pod again.", error.Status.Detail);
        await Eventually(() => node.Api.Phase("p") == BindPhases.Failed);
    }

    [Fact]
    public async Task A_pod_without_an_allocation_gets_no_devices_and_is_told_why()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("foreign", null, [1]));
        node.Bind(Pod("behind", $"{A};", [1]));

        var error = await Assert.ThrowsAsync<RpcException>(() => node.Kubelet.Admit(pod));

        Assert.StartsWith("Pod default/foreign was not placed by the HAMi scheduler", error.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(BindPhases.Allocating, node.Api.Phase("behind"));
    }

    [Fact]
    public async Task A_success_that_the_API_server_cannot_take_yet_is_written_once_it_can()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};", [1]));
        await Task.Delay(300);
        node.Api.Away = true;

        Assert.Equal("GPU-a", (await node.Kubelet.Admit(pod))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        node.Api.Away = false;
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
    }

    [Fact]
    public async Task A_restarted_agent_goes_on_with_the_next_container()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};{B};", [1], [1]));
        var once = Pod("p", $"{A};{B};", [0], [1]);
        await node.Kubelet.Admit(once);

        await node.StopAgent();
        await node.StartAgent();
        await Eventually(() => node.Kubelet.Health.Count == 20);
        pod.Spec.InitContainers = null;

        Assert.Equal("GPU-b", (await node.Kubelet.Admit(pod))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
    }

    [Fact]
    public async Task A_success_that_was_not_written_before_a_restart_is_written_after_it()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};", [1]));
        await Task.Delay(300);
        node.Api.Away = true;
        await node.Kubelet.Admit(pod);
        await node.StopAgent();
        node.Api.Away = false;
        Assert.Equal(BindPhases.Allocating, node.Api.Phase("p"));

        await node.StartAgent();
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
    }

    [Fact]
    public async Task A_container_restarts_with_the_API_server_away_and_a_new_agent()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};", [1]));
        await node.Kubelet.Admit(pod);
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
        await node.StopAgent();
        node.Api.Away = true;
        await node.StartAgent();
        await Eventually(() => node.Kubelet.Health.Count == 20);

        await node.Kubelet.PreStart(pod, "c0");
        Assert.StartsWith("hami-limits 1\ncard GPU-a memory 3145728000 cores 50\n", node.Limits("uid-p_c0"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_somebody_removed_is_made_again_at_the_next_start_once_the_API_server_tells_the_shares()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};", [1]));
        await node.Kubelet.Admit(pod);
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
        await node.StopAgent();
        node.Api.Away = true;
        await node.StartAgent();
        await Eventually(() => node.Kubelet.Health.Count == 20);
        Directory.Delete(Path.Combine(node.Containers, "uid-p_c0"), recursive: true);

        var error = await Assert.ThrowsAsync<RpcException>(() => node.Kubelet.PreStart(pod, "c0"));
        Assert.Contains("the kubelet will try again", error.Status.Detail, StringComparison.Ordinal);
        node.Api.Away = false;
        await node.Kubelet.PreStart(pod, "c0");
        Assert.StartsWith("hami-limits 1\ncard GPU-a memory 3145728000 cores 50\n", node.Limits("uid-p_c0"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_repeated_Allocate_or_PreStart_leaves_the_files_of_a_running_container_as_they_are()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};", [1]));
        var first = (await node.Kubelet.Admit(pod))["c0"];
        await node.Kubelet.PreStart(pod, "c0");
        var folder = Path.Combine(node.Containers, "uid-p_c0");
        var before = Stat();
        using (var region = new FileStream(Path.Combine(folder, "region"), FileMode.Open, FileAccess.Write))
            region.Write("a process counts here"u8);

        Assert.Equal(first, await node.Kubelet.Repeat(pod, "c0"));
        await node.Kubelet.PreStart(pod, "c0");
        await node.StopAgent();
        await node.StartAgent();
        await Eventually(() => node.Kubelet.Health.Count == 20);
        await node.Kubelet.PreStart(pod, "c0");

        Assert.Equal(before, Stat());
        Assert.StartsWith("a process counts here", await File.ReadAllTextAsync(Path.Combine(folder, "region")), StringComparison.Ordinal);

        // Inode numbers tell a file from its successor of the same name.
        string Stat() => string.Join('\n', Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(Inodes.Of));
    }

    [Fact]
    public async Task Containers_can_write_their_region_and_nothing_else()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};", [1]));
        await node.Kubelet.Admit(pod);
        await node.Kubelet.PreStart(pod, "c0");

        var folder = Path.Combine(node.Containers, "uid-p_c0");
        var others = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        Assert.Equal(["region"], Directory.GetFileSystemEntries(folder).Where(f => (File.GetUnixFileMode(f) & others) != UnixFileMode.None).Select(Path.GetFileName));
        Assert.Equal((UnixFileMode)0, File.GetUnixFileMode(folder) & others);
        Assert.Equal(others, File.GetUnixFileMode(Path.Combine(folder, "region")) & others);
        Assert.Equal(2_867_200, new FileInfo(Path.Combine(folder, "region")).Length);
        Assert.Equal("the library", await File.ReadAllTextAsync(Path.Combine(folder, "libvgpu.so")));
    }

    [Fact]
    public async Task A_restarted_container_of_HAMis_plugin_keeps_its_folder_and_nothing_of_ours_is_put_where_it_can_write()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("old", $"{A};", [1], phase: BindPhases.Success));
        var folder = Path.Combine(node.Containers, "uid-old_c0");
        Directory.CreateDirectory(folder);
        File.CreateSymbolicLink(Path.Combine(folder, "limits"), Path.Combine(node.Dir, "precious"));
        await File.WriteAllTextAsync(Path.Combine(node.Dir, "precious"), "precious");
        node.Kubelet.Record(pod, pod.Spec.Containers[0], ["GPU-a-7"], new()
        {
            Mounts = { new agent::Kubelet.DevicePlugin.V1Beta1.Mount { ContainerPath = Path.Combine(node.Dir, "host", "vgpu"), HostPath = folder } },
        });

        await node.Kubelet.PreStart(pod, "c0");

        Assert.Equal("precious", await File.ReadAllTextAsync(Path.Combine(node.Dir, "precious")));
        Assert.Equal(["limits"], Directory.GetFileSystemEntries(folder).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Devices_that_the_kubelet_gave_to_somebody_else_do_not_start()
    {
        await using var node = await Start();
        var answer = (await node.Kubelet.Admit(node.Bind(Pod("p", $"{A};", [1]))))["c0"];
        var thief = node.Bind(Pod("thief", $"{B};", [1]));
        node.Kubelet.Record(thief, thief.Spec.Containers[0], ["GPU-b-7"], answer);

        var error = await Assert.ThrowsAsync<RpcException>(() => node.Kubelet.PreStart(thief, "c0"));
        Assert.Contains("prepared for another container (uid-p_c0)", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "F15")]
    [Trait("Node", "case 37")]
    public async Task The_kubelet_is_led_to_replicas_of_the_cards_that_the_scheduler_chose()
    {
        await using var node = await Start();
        await node.Kubelet.Admit(node.Bind(Pod("p", $"{B};{A}{B};", [1, 2])));

        Assert.Equal(["GPU-b"], node.Kubelet.IdsOf("p", "c0").Select(Replicas.CardOf));
        Assert.Equal(["GPU-a", "GPU-b"], node.Kubelet.IdsOf("p", "c1").Select(Replicas.CardOf).Order(StringComparer.Ordinal));
    }

    [Fact]
    [Trait("Node", "case 34")]
    public async Task Ids_of_other_cards_than_the_scheduler_chose_change_nothing_of_what_the_container_gets()
    {
        await using var node = await Start();
        node.Kubelet.IgnoresPreference = true;
        var pod = node.Bind(Pod("p", $"{B};", [1]));
        var answer = (await node.Kubelet.Admit(pod))["c0"];
        await node.Kubelet.PreStart(pod, "c0");

        Assert.Equal("GPU-a", Replicas.CardOf(node.Kubelet.IdsOf("p", "c0").Single()));
        Assert.Equal("GPU-b", answer.Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.StartsWith("hami-limits 1\ncard GPU-b memory", node.Limits("uid-p_c0"), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Node", "case 36")]
    public async Task A_node_lock_of_whatever_form_is_not_what_tells_the_pod()
    {
        await using var node = await Start();
        node.Api.Node.SetAnnotation("hami.io/mutex.lock", "2026-01-02T03:04:05Z,default");
        Assert.Equal("GPU-a", (await node.Kubelet.Admit(node.Bind(Pod("p", $"{A};", [1]))))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Equal("2026-01-02T03:04:05Z,default", node.Api.Node.GetAnnotation("hami.io/mutex.lock"));
    }

    [Fact]
    [Trait("Node", "case 27")]
    public async Task Two_containers_in_one_call_are_answered_in_order()
    {
        await using var node = await Start();
        var pod = node.Bind(Pod("p", $"{A};{B};", [1, 1]));
        var answers = await node.Kubelet.AllocateAtOnce(pod, ["GPU-a-0"], ["GPU-b-0"]);

        Assert.Equal(["GPU-a", "GPU-b"], answers.Select(a => a.Envs["NVIDIA_VISIBLE_DEVICES"]));
        await Eventually(() => node.Api.Phase("p") == BindPhases.Success);
    }

    [Fact]
    [Trait("Scoreboard", "I10")]
    public async Task The_directories_of_a_pod_go_when_the_pod_is_gone()
    {
        await using var node = await Start();
        await node.Kubelet.Admit(node.Bind(Pod("p", $"{A};{B};", [1, 1])));
        await node.Kubelet.Admit(node.Bind(Pod("q", $"{A};", [1])));
        Assert.Equal(3, Directory.GetDirectories(node.Containers).Length);

        node.Api.Delete("p");

        await Eventually(() => Directory.GetDirectories(node.Containers).Length == 1);
        Assert.True(Directory.Exists(Path.Combine(node.Containers, "uid-q_c0")));
    }
}
