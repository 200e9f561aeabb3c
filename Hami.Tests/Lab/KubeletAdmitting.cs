using Grpc.Core;
using k8s;
using Microsoft.Extensions.Time.Testing;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Lab;

/// <summary>How the kubelet hands devices out: the order and the words recorded from a real kubelet 1.36.</summary>
public sealed class KubeletAdmitting
{
    [Fact]
    public async Task A_registering_plugin_is_dialled_back_before_Register_returns()
    {
        await using var scene = await KubeletScene.Start();

        Assert.Equal("GetDevicePluginOptions 10 s to localhost", scene.Plugin.Calls[0]);
        Assert.Equal(["ListAndWatch", "Register answered"], scene.Plugin.Calls.Skip(1).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_container_gets_one_preferred_and_one_Allocate_call_which_sees_its_pod_in_pod_resources()
    {
        await using var scene = await KubeletScene.Start();
        var from = scene.Plugin.Calls.Count;
        scene.Plugin.Prefer = ask => ask.AvailableDeviceIDs.Order(StringComparer.Ordinal).Take(ask.AllocationSize);

        await scene.Run("a1", Container("c0", 1, "sleep", "100"));
        await scene.Until("a1", "Running");
        await scene.Run("a2", Container("c0", 1, "sleep", "100"), Container("plain", 0, "sleep", "100"), Container("c1", 2, "sleep", "100"));
        await scene.Until("a2", "Running");

        Assert.Equal(
            [
                "GetPreferredAllocation 1 of g-0,g-1,g-2,g-3",
                "Allocate g-0 | a1: c0=–",
                "PreStartContainer g-0",
                "GetPreferredAllocation 1 of g-1,g-2,g-3",
                "Allocate g-1 | a1: c0=g-0; a2: c0=–, plain=–, c1=–",
                "GetPreferredAllocation 2 of g-2,g-3",
                "Allocate g-2,g-3 | a1: c0=g-0; a2: c0=g-1, plain=–, c1=–",
            ],
            scene.Plugin.Calls.Skip(from).Take(7));
        await Eventually(() => Task.FromResult(scene.Plugin.Calls.Count == from + 9));
        Assert.Equal(["PreStartContainer g-1", "PreStartContainer g-2,g-3"], scene.Plugin.Calls.Skip(from + 7).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task App_containers_reuse_what_the_init_container_had()
    {
        await using var scene = await KubeletScene.Start();
        var from = scene.Plugin.Calls.Count;
        scene.Plugin.Prefer = ask => ask.AvailableDeviceIDs.Order(StringComparer.Ordinal).Take(ask.AllocationSize);

        await scene.Run("a1", "Never", [Container("i", 1, "true")], Container("c0", 1, "true"));
        await scene.Run("a2", "Never", [Container("i", 1, "true")], Container("c0", 2, "true"));
        await scene.Until("a2", "Succeeded");

        Assert.Equal(
            ["GetPreferredAllocation 1 of g-0,g-1,g-2,g-3", "Allocate g-0 | a1: c0=–", "Allocate g-0 | a1: c0=–"],
            scene.Plugin.Calls.Skip(from).Where(c => !c.StartsWith("PreStart", StringComparison.Ordinal)).Take(3));
        Assert.Contains(scene.Plugin.Calls, c => c.StartsWith("GetPreferredAllocation 2 of", StringComparison.Ordinal) && c.Contains(" with g-"));
    }

    [Fact]
    public async Task A_refused_Allocate_fails_the_pod_with_the_plugins_own_words()
    {
        await using var scene = await KubeletScene.Start();
        scene.Plugin.Answer = _ => throw new RpcException(new(StatusCode.Internal, "no valid allocation for this pod"));

        await scene.Run("a1", Container("c0", 1, "true"));
        var pod = await scene.Until("a1", "Failed");

        Assert.Equal("UnexpectedAdmissionError", pod.Status.Reason);
        Assert.Equal(
            "Pod was rejected: Allocate failed due to rpc error: code = Internal desc = no valid allocation for this pod, which is unexpected",
            pod.Status.Message);
    }

    [Fact]
    public async Task A_rejection_is_an_event_too()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", Container("c0", 1, "true"));

        await Eventually(async () => (await scene.Kubernetes.CoreV1.ListNamespacedEventAsync("default")).Items.Any(e =>
            e.Reason == "UnexpectedAdmissionError" && e.Message.StartsWith("Allocate failed due to", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task An_empty_answer_fails_the_pod()
    {
        await using var scene = await KubeletScene.Start();
        scene.Plugin.Answer = _ => new();

        await scene.Run("a1", Container("c0", 1, "true"));

        Assert.Contains("no containers return in allocation response", (await scene.Until("a1", "Failed")).Status.Message);
    }

    [Fact]
    public async Task A_failing_preference_fails_the_pod()
    {
        await using var scene = await KubeletScene.Start();
        scene.Plugin.Prefer = _ => throw new RpcException(new(StatusCode.Unknown, "no"));

        await scene.Run("a1", Container("c0", 1, "true"));

        Assert.Equal(
            "Pod was rejected: Allocate failed due to device plugin GetPreferredAllocation rpc failed with err: rpc error: code = Unknown desc = no, which is unexpected",
            (await scene.Until("a1", "Failed")).Status.Message);
    }

    [Fact]
    public async Task Without_a_plugin_a_pod_that_asks_devices_is_rejected_and_others_run()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        await scene.Run("a1", Container("c0", 1, "true"));
        await scene.Run("a2", Container("c0", 0, "true"));

        Assert.Equal(
            "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu, which is unexpected",
            (await scene.Until("a1", "Failed")).Status.Message);
        await scene.Until("a2", "Succeeded");
    }

    [Fact]
    public async Task More_devices_than_are_free_are_refused_with_both_numbers()
    {
        await using var scene = await KubeletScene.Start();

        await scene.Run("a1", Container("c0", 5, "true"));

        Assert.Contains("Requested: 5, Available: 4", (await scene.Until("a1", "Failed")).Status.Message);
    }

    [Fact]
    public async Task A_deleted_pods_ids_are_free_again()
    {
        await using var scene = await KubeletScene.Start();
        await scene.Run("a1", Container("c0", 4, "sleep", "100"));
        await scene.Until("a1", "Running");

        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("a1", "default");
        await scene.UntilGone("a1");
        await scene.Run("a2", Container("c0", 4, "true"));

        await scene.Until("a2", "Succeeded");
    }

    [Fact]
    public async Task A_finished_pods_ids_are_free_before_its_object_is_gone()
    {
        await using var scene = await KubeletScene.Start();
        await scene.Run("a1", Container("c0", 4, "true"));
        await scene.Until("a1", "Succeeded");

        await scene.Run("a2", Container("c0", 4, "true"));

        await scene.Until("a2", "Succeeded");
        Assert.Equal("", await scene.Plugin.ListPodResources());
    }

    [Fact]
    public async Task A_refused_PreStartContainer_is_tried_again_until_it_is_allowed()
    {
        await using var scene = await KubeletScene.Start();
        var allowed = false;
        scene.Plugin.PreStart = () =>
        {
            if (!Volatile.Read(ref allowed))
                throw new RpcException(new(StatusCode.FailedPrecondition, "not yet"));
        };

        await scene.Run("a1", Container("c0", 1, "true"));
        var waiting = (await scene.Until("a1", p => p.Status.ContainerStatuses?[0].State.Waiting?.Reason == "CreateContainerConfigError")).Status.ContainerStatuses[0].State.Waiting;
        Volatile.Write(ref allowed, true);

        Assert.Equal("device plugin PreStartContainer rpc failed with err: rpc error: code = FailedPrecondition desc = not yet", waiting.Message);
        await scene.Until("a1", "Succeeded");
    }

    [Fact]
    public async Task When_an_old_plugin_ends_the_one_that_registered_since_is_dropped_too()
    {
        await using var scene = await KubeletScene.Start();
        var old = scene.Plugin;
        await scene.StartPlugin("new.sock");
        await scene.Run("a1", Container("c0", 1, "sleep", "100"));
        await scene.Until("a1", "Running");
        Assert.Contains(scene.Plugin.Calls, c => c.StartsWith("Allocate", StringComparison.Ordinal));

        await old.DisposeAsync();
        await Eventually(async () => await scene.Healthy() == "0");

        await scene.Plugin.Register(scene.Kubelet.PluginsDirectory);
        await Eventually(async () => await scene.Healthy() == "4");
    }

    [Fact]
    public async Task A_kubelet_ends_although_a_plugin_that_registered_again_keeps_its_first_stream_open()
    {
        await using var scene = await KubeletScene.Start();
        await scene.Plugin.Register(scene.Kubelet.PluginsDirectory);
        await Eventually(() => Task.FromResult(scene.Plugin.Calls.Count(call => call == "ListAndWatch") == 2));

        await scene.Kubelet.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));
        await scene.StartKubelet();
    }

    [Fact]
    public async Task Unhealthy_devices_count_as_capacity_but_are_not_allocatable()
    {
        await using var scene = await KubeletScene.Start();

        scene.Plugin.Offer("g-0", "g-1!", "g-2");

        await Eventually(async () => await scene.Healthy() == "2");
        Assert.Equal("3", (await scene.Kubernetes.CoreV1.ReadNodeAsync(Node)).Status.Capacity[KubeletTestPlugin.Resource].ToString());
    }

    [Fact]
    public async Task A_device_that_a_plugin_names_twice_counts_once()
    {
        await using var scene = await KubeletScene.Start();

        scene.Plugin.Offer("g-0", "g-1!", "g-0");

        await Eventually(async () => await scene.Healthy() == "1");
        scene.Plugin.Offer("g-0", "g-1");
        await Eventually(async () => await scene.Healthy() == "2");
    }

    [Fact]
    public async Task A_plugin_that_goes_away_leaves_nothing_allocatable_and_a_new_registration_heals()
    {
        await using var scene = await KubeletScene.Start();

        await scene.Plugin.DisposeAsync();
        await Eventually(async () => await scene.Healthy() == "0");
        await scene.StartPlugin("other.sock");

        await scene.Run("a1", Container("c0", 1, "true"));
        await scene.Until("a1", "Succeeded");
    }

    [Fact]
    public async Task After_a_restart_a_pod_whose_plugin_comes_too_late_is_failed_for_good()
    {
        await using var scene = await KubeletScene.Start(with: o => o with { PluginGrace = TimeSpan.FromMilliseconds(100) });
        await scene.Run("a1", "Always", [], Container("c0", 1, "sleep", "100"));
        await scene.Run("plain", "Always", [], Container("c0", 0, "sleep", "100"));
        await scene.Until("a1", "Running");
        await scene.Until("plain", "Running");

        await scene.Kubelet.DisposeAsync();
        await scene.Plugin.DisposeAsync();
        await scene.StartKubelet();

        Assert.Equal(
            "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu, which is unexpected",
            (await scene.Until("a1", "Failed")).Status.Message);
        await scene.Until("plain", p => p.Status.ContainerStatuses[0] is { RestartCount: 1, State.Running: not null });
    }

    [Theory]
    [InlineData("v1alpha", "nvidia.com/gpu", "requested API version \"v1alpha\" is not supported by kubelet. Supported version is [\"v1beta1\"]")]
    [InlineData("v1beta1", "gpu", "the ResourceName \"gpu\" is invalid")]
    [InlineData("v1beta1", "kubernetes.io/gpu", "the ResourceName \"kubernetes.io/gpu\" is invalid")]
    public async Task A_registration_that_cannot_be_is_refused(string version, string resource, string sentence)
    {
        await using var plugins = new Hami.Lab.Kubelet.DevicePlugins("/tmp", TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<Hami.Lab.Kubelet.DevicePlugins>.Instance);

        var refused = await Assert.ThrowsAsync<RpcException>(() => plugins.Register(
            new() { Version = version, ResourceName = resource, Endpoint = "x.sock" }, TestContext.Current.CancellationToken));

        Assert.Equal((StatusCode.Unknown, sentence), (refused.StatusCode, refused.Status.Detail));
    }

    [Fact]
    public async Task A_plugin_that_stays_away_leaves_capacity_after_five_minutes()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var scene = await KubeletScene.Start(with: o => o with { Time = time });

        await scene.Plugin.DisposeAsync();
        await Eventually(async () => await scene.Healthy() == "0");
        Assert.Equal("4", await Capacity());
        time.Advance(TimeSpan.FromMinutes(5));

        await Eventually(async () => await Capacity() == "0");

        async Task<string> Capacity() => (await scene.Kubernetes.CoreV1.ReadNodeAsync(Node)).Status.Capacity[KubeletTestPlugin.Resource].ToString();
    }
}
