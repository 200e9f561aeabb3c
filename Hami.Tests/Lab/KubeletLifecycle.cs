using System.Net;
using System.Net.Sockets;
using Hami.Lab.Cluster;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Models;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Lab;

/// <summary>Hooks, probes, deadlines and last words of containers.</summary>
public sealed class KubeletLifecycle
{
    [Fact]
    public async Task A_container_is_ready_once_its_readiness_probe_passes_and_no_longer_when_it_fails()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var container = Container("c0", 0, "sleep", "100");
        container.ReadinessProbe = Exec("test -f $HOME/ready || { echo not yet; exit 1; }", failures: 1);

        await scene.Run("a1", container);
        var pod = await scene.Until("a1", p => p.Status.ContainerStatuses?[0].State.Running is not null);
        Assert.False(pod.Status.ContainerStatuses[0].Ready);
        await Eventually(async () => (await Events(scene)).Contains("Warning Unhealthy Readiness probe failed: not yet"));
        await Do(scene, "touch $HOME/ready");
        await scene.Until("a1", p => p.Status.Conditions.Any(c => c is { Type: "Ready", Status: "True" }));
        await Do(scene, "rm $HOME/ready");

        pod = await scene.Until("a1", p => p.Status.Conditions.Any(c => c is { Type: "Ready", Status: "False" }));
        Assert.Equal("containers with unready status: [c0]", pod.Status.Conditions.Single(c => c.Type == "Ready").Message);
        Assert.Equal(0, pod.Status.ContainerStatuses[0].RestartCount);
    }

    [Fact]
    public async Task A_container_that_fails_its_liveness_probe_is_killed_and_started_again()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var container = Container("c0", 0, "sh", "-c", "touch $HOME/alive; exec sleep 100");
        container.StartupProbe = Exec("test -f $HOME/alive", failures: 100);
        container.LivenessProbe = Exec("test -f $HOME/alive", failures: 1);

        await scene.Run("a1", "Always", [], container);
        await scene.Until("a1", p => p.Status.ContainerStatuses?[0].Started is true);
        await Do(scene, "rm $HOME/alive");

        var pod = await scene.Until("a1", p => p.Status.ContainerStatuses[0] is { RestartCount: > 0, LastState.Terminated: not null });
        Assert.Equal(143, pod.Status.ContainerStatuses[0].LastState.Terminated.ExitCode);
        Assert.Contains("Normal Killing Container c0 failed liveness probe, will be restarted", await Events(scene));
    }

    [Fact]
    public async Task Nothing_is_started_or_ready_before_the_startup_probe_has_passed()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var port = Loopback.FreePort();
        var container = Container("c0", 0, "sleep", "100");
        container.StartupProbe = new() { TcpSocket = new() { Port = port }, PeriodSeconds = 1, FailureThreshold = 1000 };

        await scene.Run("a1", container);
        await Eventually(async () => (await Events(scene)).Contains($"Warning Unhealthy Startup probe failed: dial tcp 127.0.0.1:{port}: connect: connection refused"));
        var status = (await scene.Until("a1", "Running")).Status.ContainerStatuses[0];
        using var web = new TcpListener(IPAddress.Loopback, port);
        web.Start();

        Assert.Equal((false, false), (status.Started, status.Ready));
        await scene.Until("a1", p => p.Status.ContainerStatuses[0] is { Started: true, Ready: true });
    }

    [Fact]
    public async Task Hooks_run_after_the_start_and_before_the_end()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var told = Path.GetTempFileName();
        var container = Container("c0", 0, "sh", "-c", $"trap 'echo term >> {told}; exit 0' TERM; touch $HOME/up; while true; do sleep 0.05; done");
        container.StartupProbe = Exec("test -f $HOME/up", failures: 100);
        container.Lifecycle = new()
        {
            PostStart = new() { Exec = new() { Command = ["sh", "-c", $"echo post >> {told}"] } },
            PreStop = new() { Exec = new() { Command = ["sh", "-c", $"echo pre >> {told}"] } },
        };
        await scene.Run("a1", pod =>
        {
            pod.Spec.Containers = [container];
            pod.Spec.TerminationGracePeriodSeconds = 20;
        });
        await scene.Until("a1", p => p.Status.ContainerStatuses?[0].Ready is true);

        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("a1", "default");
        await scene.UntilGone("a1");

        Assert.Equal("post\npre\nterm\n", await File.ReadAllTextAsync(told));
        File.Delete(told);
    }

    [Fact]
    public async Task A_container_whose_first_hook_fails_is_killed()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var container = Container("c0", 0, "sleep", "100");
        container.Lifecycle = new() { PostStart = new() { Exec = new() { Command = ["sh", "-c", "echo no; exit 3"] } } };

        await scene.Run("a1", container);

        await scene.Until("a1", "Failed");
        await Eventually(async () => (await Events(scene)).Contains("Warning FailedPostStartHook PostStartHook failed: no"));
    }

    [Fact]
    public async Task A_pod_that_is_active_for_longer_than_it_may_is_failed()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", pod =>
        {
            pod.Spec.Containers = [Container("c0", 0, "sleep", "100")];
            pod.Spec.ActiveDeadlineSeconds = 1;
        });

        var status = (await scene.Until("a1", "Failed")).Status;
        Assert.Equal(("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"), (status.Reason, status.Message));
        Assert.Equal(143, status.ContainerStatuses[0].State.Terminated.ExitCode);
    }

    [Fact]
    public async Task Last_words_come_from_the_termination_log_or_from_the_end_of_the_log()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var fallback = Container("c1", 0, "sh", "-c", "echo first; echo the end; exit 2");
        fallback.TerminationMessagePolicy = "FallbackToLogsOnError";

        await scene.Run("a1", Container("c0", 0, "sh", "-c", "echo because > /dev/termination-log; exit 1"), fallback, Container("c2", 0, "sh", "-c", "echo x; exit 1"));

        var statuses = (await scene.Until("a1", "Failed")).Status.ContainerStatuses;
        Assert.Equal(["because\n", "first\nthe end\n", null], statuses.Select(s => s.State.Terminated.Message));
    }

    [Fact]
    public async Task Sidecars_end_last_and_in_the_opposite_order()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var told = Path.GetTempFileName();
        V1Container Telling(string name)
        {
            var container = Container(name, 0, "sh", "-c", $"trap 'echo {name} >> {told}; exit 0' TERM; touch $HOME/{name}; while true; do sleep 0.05; done");
            container.StartupProbe = Exec($"test -f $HOME/{name}", failures: 100);
            return container;
        }
        var (s0, s1) = (Telling("s0"), Telling("s1"));
        s0.RestartPolicy = s1.RestartPolicy = "Always";
        await scene.Run("a1", pod =>
        {
            pod.Spec.InitContainers = [s0, s1];
            pod.Spec.Containers = [Telling("c0")];
            pod.Spec.TerminationGracePeriodSeconds = 20;
        });
        await scene.Until("a1", p => p.Status.ContainerStatuses?[0].Ready is true);

        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("a1", "default");
        await scene.UntilGone("a1");

        Assert.Equal("c0\ns1\ns0\n", await File.ReadAllTextAsync(told));
        File.Delete(told);
    }

    [Fact]
    public async Task Logs_are_cut_by_time_and_bytes_and_bear_the_time_of_each_line()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Run("a1", Container("c0", 0, "sh", "-c", "echo one; sleep 2; echo two; sleep 100"));
        await Eventually(async () =>
        {
            var pod = await scene.Kubernetes.CoreV1.ReadNamespacedPodAsync("a1", "default");
            return pod.Status.Phase == "Running" && await scene.Logs("a1", "c0") == "one\ntwo\n";
        });

        var lines = (await scene.Logs("a1", "c0", "?timestamps=true")).Split('\n');
        var times = lines.Take(2).Select(l => DateTimeOffset.Parse(l.Split(' ')[0])).ToArray();
        Assert.Equal(["one", "two"], lines.Take(2).Select(l => l.Split(' ')[1]));
        Assert.True(times[1] - times[0] > TimeSpan.FromSeconds(1), $"{times[0]:O} {times[1]:O}");
        Assert.Equal("two\n", await scene.Logs("a1", "c0", $"?sinceTime={Uri.EscapeDataString((times[0] + TimeSpan.FromSeconds(1)).ToString("O"))}"));
        Assert.Equal("one\nt", await scene.Logs("a1", "c0", "?limitBytes=5"));
    }

    [Fact]
    public async Task A_probe_that_cannot_even_be_made_fails_and_says_so()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var container = Container("c0", 0, "sleep", "100");
        container.LivenessProbe = new() { HttpGet = new() { Host = "no host", Port = 80 }, PeriodSeconds = 1, FailureThreshold = 1 };

        await scene.Run("a1", container);

        Assert.Equal(143, (await scene.Until("a1", "Failed")).Status.ContainerStatuses[0].State.Terminated.ExitCode);
        await Eventually(async () => (await Events(scene)).Any(e => e.StartsWith("Warning Unhealthy Liveness probe failed: ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("ln -sf $PWD/secret /dev/termination-log")]
    [InlineData("rm /dev/termination-log; mkdir /dev/termination-log")]
    [InlineData("rm /dev/termination-log; mkfifo /dev/termination-log")]
    public async Task Last_words_are_only_what_the_container_wrote(string instead)
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", Container("c0", 0, "sh", "-c", $"echo hidden > secret; {instead}"));

        Assert.Null((await scene.Until("a1", "Succeeded")).Status.ContainerStatuses[0].State.Terminated.Message);
    }

    [Fact]
    public async Task A_pod_that_has_run_its_time_and_waits_for_a_sidecar_is_cut_short_by_its_deletion()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        var sidecar = Container("s", 0, "sh", "-c", "trap '' TERM; touch $HOME/up; while true; do sleep 0.05; done");
        sidecar.RestartPolicy = "Always";
        sidecar.StartupProbe = Exec("test -f $HOME/up", failures: 100);
        await scene.Run("a1", pod =>
        {
            pod.Spec.InitContainers = [sidecar];
            pod.Spec.Containers = [Container("c0", 0, "true")];
            pod.Spec.TerminationGracePeriodSeconds = 100_000_000;
        });
        await Eventually(async () => (await Events(scene)).Contains("Normal Killing Stopping container s"));

        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("a1", "default", new V1DeleteOptions { GracePeriodSeconds = 1 });

        await scene.UntilGone("a1");
    }

    [Fact]
    public async Task An_event_that_the_server_has_forgotten_is_written_anew()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        await scene.Run("a1", pod =>
        {
            pod.Spec.Containers = [Container("c0", 0, "true")];
            pod.Spec.Volumes = [new() { Name = "v", ConfigMap = new() { Name = "nobody" } }];
        });
        async Task<Corev1Event?> Failing() => (await scene.Kubernetes.CoreV1.ListNamespacedEventAsync("default")).Items.SingleOrDefault(e => e.Reason == "FailedMount");
        await Eventually(async () => await Failing() is not null);

        await scene.Kubernetes.CoreV1.DeleteNamespacedEventAsync((await Failing())!.Name(), "default");

        await Eventually(async () => await Failing() is { Count: > 1 });
    }

    [Theory]
    [InlineData(10, "10s")]
    [InlineData(80, "1m20s")]
    [InlineData(300, "5m0s")]
    [InlineData(3661, "1h1m1s")]
    public void Times_are_printed_as_Go_prints_them(int seconds, string text) => Assert.Equal(text, GoDuration.Of(TimeSpan.FromSeconds(seconds)));

    private static V1Probe Exec(string line, int failures) => new()
    {
        Exec = new() { Command = ["sh", "-c", line] },
        PeriodSeconds = 1,
        TimeoutSeconds = 10,
        FailureThreshold = failures,
    };

    private static async Task Do(KubeletScene scene, string line) =>
        Assert.Equal(0, (await scene.Kubelet.ExecAsync("default", "a1", "c0", ["sh", "-c", line], TestContext.Current.CancellationToken)).ExitCode);

    private static async Task<IEnumerable<string>> Events(KubeletScene scene) =>
        (await scene.Kubernetes.CoreV1.ListNamespacedEventAsync("default")).Items.Select(e => $"{e.Type} {e.Reason} {e.Message}");
}
