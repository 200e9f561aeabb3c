using k8s;
using k8s.Models;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Lab;

/// <summary>The life of pods as local processes: phases, exit codes, logs, ends and restarts.</summary>
public sealed class KubeletRunning
{
    [Fact]
    public async Task A_running_pod_is_ready_and_says_where()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", Container("c0", 0, "sleep", "100"));
        var status = (await scene.Until("a1", p => p.Status.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true)).Status;

        Assert.Equal(("Running", "127.0.0.1"), (status.Phase, status.PodIP));
        Assert.Equal(
            ["ContainersReady=True", "Initialized=True", "PodReadyToStartContainers=True", "Ready=True"],
            status.Conditions.Where(c => c.Type != "PodScheduled").Select(c => $"{c.Type}={c.Status}").Order(StringComparer.Ordinal));
        Assert.NotNull(status.StartTime);
        Assert.NotNull(status.ContainerStatuses[0].State.Running.StartedAt);
    }

    [Fact]
    public async Task A_program_that_fails_fails_a_pod_that_is_never_restarted()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", Container("c0", 0, "sh", "-c", "exit 7"), Container("c1", 0, "true"));
        var pod = await scene.Until("a1", "Failed");

        Assert.Equal([7, 0], pod.Status.ContainerStatuses.Select(c => c.State.Terminated.ExitCode));
        Assert.Equal(["Error", "Completed"], pod.Status.ContainerStatuses.Select(c => c.State.Terminated.Reason));
    }

    [Fact]
    public async Task The_container_has_the_plugins_and_its_own_environment()
    {
        await using var scene = await KubeletScene.Start();
        var container = Container("c0", 2, "sh", "-c", "echo $GIVEN | tr , '\\n' | wc -l; echo $MY_NAME on $MY_NODE in $(basename $HOME)");
        container.Env =
        [
            new() { Name = "MY_NAME", ValueFrom = new() { FieldRef = new() { FieldPath = "metadata.name" } } },
            new() { Name = "MY_NODE", ValueFrom = new() { FieldRef = new() { FieldPath = "spec.nodeName" } } },
        ];

        await scene.Run("a1", container);
        var pod = await scene.Until("a1", "Succeeded");

        Assert.Equal($"2\na1 on node-a in {pod.Uid()}\n", await scene.Logs("a1", "c0"));
    }

    [Fact]
    public async Task Init_containers_run_one_after_another_before_the_others()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run(
            "a1", "Never", [Container("i0", 0, "sh", "-c", "sleep 0.2; echo i0 >> $HOME/order"), Container("i1", 0, "sh", "-c", "echo i1 >> $HOME/order")],
            Container("c0", 0, "sh", "-c", "cat $HOME/order"));
        await scene.Until("a1", "Succeeded");

        Assert.Equal("i0\ni1\n", await scene.Logs("a1", "c0"));
    }

    [Fact]
    public async Task A_failing_init_container_fails_a_pod_that_is_never_restarted()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", "Never", [Container("i0", 0, "false")], Container("c0", 0, "true"));
        var pod = await scene.Until("a1", "Failed");

        Assert.Equal(1, pod.Status.InitContainerStatuses[0].State.Terminated.ExitCode);
        Assert.NotNull(pod.Status.ContainerStatuses[0].State.Waiting);
    }

    [Fact]
    public async Task A_sidecar_stays_beside_the_others_and_does_not_keep_the_pod_from_ending()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var sidecar = Container("s", 0, "sleep", "100");
        sidecar.RestartPolicy = "Always";

        await scene.Run("a1", "Never", [sidecar], Container("c0", 0, "true"));

        await scene.Until("a1", "Succeeded");
    }

    [Fact]
    public async Task OnFailure_restarts_at_once_until_the_program_succeeds()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", "OnFailure", [], Container("c0", 0, "sh", "-c", "echo try; test -f $HOME/again || { touch $HOME/again; exit 1; }"));
        var pod = await scene.Until("a1", "Succeeded");

        Assert.Equal(1, pod.Status.ContainerStatuses[0].RestartCount);
        Assert.Equal(1, pod.Status.ContainerStatuses[0].LastState.Terminated.ExitCode);
        Assert.Equal("try\n", await scene.Logs("a1", "c0", "?previous=true"));
    }

    [Fact]
    public async Task A_container_that_keeps_failing_waits_in_back_off()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        var created = await scene.Run("a1", "Always", [], Container("c0", 0, "false"));
        var pod = await scene.Until("a1", p => p.Status.ContainerStatuses?[0].State.Waiting?.Reason == "CrashLoopBackOff");

        Assert.Equal(1, pod.Status.ContainerStatuses[0].RestartCount);
        Assert.Equal($"back-off 10s restarting failed container=c0 pod=a1_default({created.Uid()})", pod.Status.ContainerStatuses[0].State.Waiting.Message);
        Assert.Equal("Running", pod.Status.Phase);
    }

    [Fact]
    public async Task A_command_that_does_not_exist_is_told_in_the_status()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", Container("c0", 0, "no-such-program"));
        var terminated = (await scene.Until("a1", "Failed")).Status.ContainerStatuses[0].State.Terminated;

        Assert.Equal(("StartError", 128), (terminated.Reason, terminated.ExitCode));
        Assert.Equal("failed to start the container: exec: \"no-such-program\": executable file not found in $PATH", terminated.Message);
    }

    [Fact]
    public async Task Deleting_asks_first_and_then_kills()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var asked = Path.Combine(Path.GetTempPath(), $"asked-{Guid.NewGuid():N}");
        await scene.Run("a1", Container("c0", 0, "sh", "-c", $"trap 'touch {asked}' TERM; echo up; while true; do sleep 0.05; done"));
        await Eventually(async () => (await scene.Until("a1", "Running")) is not null && await scene.Logs("a1", "c0") == "up\n");

        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("a1", "default");
        await scene.UntilGone("a1");

        Assert.True(File.Exists(asked));
        File.Delete(asked);
    }

    [Fact]
    public async Task A_pod_deleted_by_force_leaves_no_process_behind()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Run("a1", Container("c0", 0, "sh", "-c", "echo $$$$; sleep 100"));
        await scene.Until("a1", "Running");
        var pid = 0;
        await Eventually(async () => int.TryParse(await scene.Logs("a1", "c0"), out pid));

        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("a1", "default", new V1DeleteOptions { GracePeriodSeconds = 0 });

        await Eventually(() => Task.FromResult(Hami.Lab.Kubelet.ProcessGroup.StartTime(pid) is null));
    }

    [Fact]
    public async Task A_second_command_runs_in_the_containers_environment()
    {
        await using var scene = await KubeletScene.Start();
        await scene.Run("a1", Container("c0", 1, "sleep", "100"));
        await scene.Until("a1", "Running");

        var run = await scene.Kubelet.ExecAsync("default", "a1", "c0", ["sh", "-c", "echo $GIVEN; exit 5"], TestContext.Current.CancellationToken);

        Assert.Equal(5, run.ExitCode);
        Assert.StartsWith("g-", run.Output);
    }

    [Fact]
    public async Task Following_a_log_ends_with_its_container()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Run("a1", Container("c0", 0, "sh", "-c", "echo one; sleep 0.5; echo two"));
        await scene.Until("a1", p => p.Status.Phase is "Running" or "Succeeded");

        Assert.Equal("one\ntwo\n", await scene.Logs("a1", "c0", "?follow=true"));
        Assert.Equal("two\n", await scene.Logs("a1", "c0", "?tailLines=1"));
    }

    [Fact]
    public async Task While_the_API_server_is_away_pods_go_on_and_their_ends_are_told_when_it_is_back()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Run("a1", Container("c0", 0, "sleep", "0.5"));
        await scene.Until("a1", "Running");

        await scene.RestartServer(TimeSpan.FromSeconds(1));

        await scene.Until("a1", "Succeeded");
        await scene.Run("a2", Container("c0", 0, "true"));
        await scene.Until("a2", "Succeeded");
    }

    [Fact]
    public async Task A_log_is_read_through_the_API_server()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Run("a1", Container("c0", 0, "sh", "-c", "echo one; echo two"));
        await scene.Until("a1", "Succeeded");

        using var log = new StreamReader(await scene.Kubernetes.CoreV1.ReadNamespacedPodLogAsync("a1", "default", tailLines: 1));

        Assert.Equal("two\n", await log.ReadToEndAsync());
    }

    [Fact]
    public async Task After_a_restart_of_the_kubelet_pods_start_again_with_their_old_devices_and_no_new_Allocate()
    {
        await using var scene = await KubeletScene.Start();
        await scene.Run("a1", "Always", [], Container("c0", 2, "sh", "-c", "echo $GIVEN; sleep 100"));
        await scene.Run("gone", "Never", [], Container("c0", 2, "sleep", "100"));
        await scene.Until("a1", "Running");
        await scene.Until("gone", "Running");
        var given = "";
        await Eventually(async () => (given = await scene.Logs("a1", "c0")).EndsWith('\n'));

        await scene.Kubelet.DisposeAsync();
        await scene.Plugin.DisposeAsync();
        await scene.StartKubelet();
        await scene.StartPlugin();
        var pod = await scene.Until("a1", p => p.Status.ContainerStatuses[0] is { RestartCount: 1, State.Running: not null });

        Assert.Equal("ContainerStatusUnknown", pod.Status.ContainerStatuses[0].LastState.Terminated.Reason);
        await Eventually(async () => await scene.Logs("a1", "c0") == given);
        Assert.DoesNotContain(scene.Plugin.Calls, c => c.StartsWith("Allocate", StringComparison.Ordinal));
        Assert.Contains(scene.Plugin.Calls, c => c.StartsWith("PreStartContainer", StringComparison.Ordinal));
        await scene.Until("gone", "Failed");
    }

    [Fact]
    public async Task A_program_that_removes_its_home_ends_as_it_ended()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", Container("c0", 0, "sh", "-c", "rm -rf $HOME"));

        await scene.Until("a1", "Succeeded");
    }

    [Fact]
    public async Task A_restarted_kubelet_leaves_the_files_of_its_pods_alone_and_deletes_those_of_pods_that_are_gone()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Run("a1", "Always", [], Container("c0", 0, "sh", "-c", "cat $HOME/my.pid; echo kept > $HOME/my.pid; sleep 100"));
        var gone = (await scene.Run("gone", Container("c0", 0, "sleep", "100"))).Uid();
        await scene.Until("a1", "Running");
        await scene.Until("gone", "Running");
        await Eventually(() => Task.FromResult(Files(scene).Any(f => f.EndsWith("/my.pid", StringComparison.Ordinal))));
        Assert.Contains(Files(scene), f => f.Contains(gone, StringComparison.Ordinal));

        await scene.Kubelet.DisposeAsync();
        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("gone", "default", new V1DeleteOptions { GracePeriodSeconds = 0 });
        await scene.StartKubelet();

        await Eventually(async () => (await scene.Kubernetes.CoreV1.ReadNamespacedPodAsync("a1", "default")).Status.ContainerStatuses[0].RestartCount == 1
            && await scene.Logs("a1", "c0") == "kept\n");
        await Eventually(() => Task.FromResult(!Files(scene).Any(f => f.Contains(gone, StringComparison.Ordinal))));
    }

    [Fact]
    public async Task A_pod_that_is_gone_leaves_no_file_behind()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var uid = (await scene.Run("a1", Container("c0", 0, "true"))).Uid();
        await scene.Until("a1", "Succeeded");
        Assert.Contains(Files(scene), f => f.Contains(uid, StringComparison.Ordinal));

        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("a1", "default");

        await Eventually(() => Task.FromResult(!Files(scene).Any(f => f.Contains(uid, StringComparison.Ordinal))));
    }

    // A file may vanish while the others are listed.
    private static IReadOnlyList<string> Files(KubeletScene scene)
    {
        try
        {
            return Directory.GetFileSystemEntries(Path.GetDirectoryName(scene.Kubelet.PluginsDirectory)!, "*", SearchOption.AllDirectories);
        }
        catch (DirectoryNotFoundException)
        {
            return Files(scene);
        }
    }
}
