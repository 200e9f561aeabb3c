using Hami.Domain.Protocol;
using Hami.Lab.ApiServer;
using Hami.Lab.Cluster;
using Hami.Lab.Hollow;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>Nodes without agents and processes: the API server hears of them what it would hear of real ones.</summary>
public sealed class HollowNodesRunning : IAsyncDisposable
{
    private static readonly IReadOnlyList<LabNode> Fifty = HollowNodesOptions.Alike("h", 50);
    private static readonly CancellationToken Cancellation = TestContext.Current.CancellationToken;
    private readonly string _folder = Directory.CreateTempSubdirectory("h").FullName;
    private LabApiServer? _server;
    private Kubernetes? _kubernetes;

    [Fact]
    public async Task Fifty_nodes_register_with_their_cards_and_each_keeps_a_lease()
    {
        await using var hollow = await Start(Fifty, TimeSpan.FromSeconds(2));
        var nodes = (await _kubernetes!.CoreV1.ListNodeAsync(labelSelector: "hami.io/lab-node=hollow")).Items;

        Assert.Equal(50, nodes.Count);
        Assert.All(nodes, node =>
        {
            Assert.Equal("80", node.Status.Allocatable["nvidia.com/gpu"].ToString());
            Assert.Contains(node.Status.Conditions, c => c is { Type: "Ready", Status: "True" });
            Assert.Equal(8, NodeRegister.Decode(node.GetAnnotation(HamiKeys.NodeRegister)).Count);
        });
        var before = await Leases();
        Assert.Equal(50, before.Count);
        await KubeletScene.Eventually(async () => (await Leases()).All(l => l.Value.Spec.RenewTime > before[l.Key].Spec.RenewTime));
        Assert.Equal(nodes[0].Uid(), before[nodes[0].Name()].Metadata.OwnerReferences.Single().Uid);
    }

    [Fact]
    public async Task Five_hundred_pods_run_are_marked_as_the_agent_marks_them_and_leave_nothing_held()
    {
        await using var hollow = await Start(Fifty);

        await Parallel.ForAsync(0, 500, Cancellation, async (i, _) => await Bind($"p{i}", Fifty[i % 50], card: i / 50 % 8));
        await KubeletScene.Eventually(async () => (await Pods()).All(p => p.Status.Phase == "Running"));

        Assert.All(await Pods(), pod =>
        {
            Assert.Equal(BindPhases.Success, pod.GetAnnotation(HamiKeys.BindPhase));
            Assert.Equal(";", pod.GetAnnotation(HamiKeys.DevicesToAllocate));
            Assert.Contains(pod.Status.Conditions, c => c is { Type: "Ready", Status: "True" });
            Assert.NotNull(Assert.Single(pod.Status.ContainerStatuses).State.Running);
        });
        Assert.All(Fifty, node => Assert.Equal(10, hollow.DevicesInUse(node.Name)));
        await Parallel.ForEachAsync(await Pods(), Cancellation, async (pod, ct) => await _kubernetes!.CoreV1.DeleteNamespacedPodAsync(pod.Name(), "default", cancellationToken: ct));
        await KubeletScene.Eventually(async () => (await Pods()).Count == 0);
        await KubeletScene.Eventually(() => Task.FromResult(Fifty.All(node => hollow.DevicesInUse(node.Name) == 0)));
    }

    [Fact]
    public async Task A_pod_that_the_scheduler_did_not_place_is_rejected_as_on_a_real_node()
    {
        await using var hollow = await Start([Fifty[0]]);

        await Bind("p", Fifty[0], card: 0, change: pod => pod.Metadata.Annotations = null);

        var pod = await Until("p", "Failed");
        Assert.Equal("UnexpectedAdmissionError", pod.Status.Reason);
        Assert.StartsWith("Pod was rejected: Allocate failed due to rpc error: code = Internal desc = Pod default/p was not placed by the HAMi scheduler", pod.Status.Message);
        Assert.EndsWith(", which is unexpected", pod.Status.Message);
    }

    [Fact]
    public async Task More_replicas_than_the_node_has_are_refused_with_both_numbers()
    {
        var small = HollowNodesOptions.Alike("h", 1, cards: 1)[0];
        await using var hollow = await Start([small]);
        for (var i = 0; i < 10; i++)
            await Bind($"p{i}", small, card: 0);
        await KubeletScene.Eventually(async () => (await Pods()).Count(p => p.Status.Phase == "Running") == 10);

        await Bind("late", small, card: 0);

        Assert.Equal(
            "Pod was rejected: Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected",
            (await Until("late", "Failed")).Status.Message);
        Assert.Equal(BindPhases.Allocating, (await Until("late", "Failed")).GetAnnotation(HamiKeys.BindPhase));
    }

    [Fact]
    public async Task More_memory_than_the_node_has_is_refused_and_the_devices_are_free_again()
    {
        await using var hollow = await Start([Fifty[0]]);

        await Bind("p", Fifty[0], card: 0, change: pod =>
            pod.Spec.Containers[0].Resources.Requests = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["memory"] = new("2Ti"), ["nvidia.com/gpu"] = new("1") });

        Assert.Equal("OutOfmemory", (await Until("p", "Failed")).Status.Reason);
        Assert.Equal(0, hollow.DevicesInUse(Fifty[0].Name));
    }

    [Fact]
    public async Task Asked_for_a_log_a_hollow_node_says_that_there_is_none()
    {
        await using var hollow = await Start([Fifty[0]]);
        await Bind("p", Fifty[0], card: 0);

        var refused = await Assert.ThrowsAsync<HttpOperationException>(() => _kubernetes!.CoreV1.ReadNamespacedPodLogAsync("p", "default"));

        Assert.Contains("the pod is on a hollow node: it has no processes, and so no logs", refused.Response.Content);
    }

    [Fact]
    public async Task A_pod_that_only_sleeps_succeeds_and_frees_its_card()
    {
        await using var hollow = await Start([Fifty[0]]);

        await Bind("p", Fifty[0], card: 0, change: pod => pod.Spec.Containers[0].Command = ["sleep", "0.5"]);

        Assert.Equal(0, (await Until("p", "Succeeded")).Status.ContainerStatuses[0].State.Terminated.ExitCode);
        Assert.Equal(0, hollow.DevicesInUse(Fifty[0].Name));
    }

    [Fact]
    public async Task After_a_restart_what_ran_runs_on_and_what_was_deleted_meanwhile_goes()
    {
        var hollow = await Start([Fifty[0]]);
        await Bind("stays", Fifty[0], card: 0);
        await Bind("goes", Fifty[0], card: 1);
        await Until("stays", "Running");
        await Until("goes", "Running");
        await hollow.DisposeAsync();
        await _kubernetes!.CoreV1.DeleteNamespacedPodAsync("goes", "default");
        await Bind("late", Fifty[0], card: 1);

        await using var again = await Start([Fifty[0]]);

        await Until("late", "Running");
        await KubeletScene.Eventually(async () => (await Pods()).Count == 2);
        Assert.Equal("Running", (await Until("stays", "Running")).Status.Phase);
        await KubeletScene.Eventually(() => Task.FromResult(again.DevicesInUse(Fifty[0].Name) == 2));
    }

    [Fact]
    public async Task After_an_outage_of_the_API_server_hollow_nodes_go_on()
    {
        await using var hollow = await Start([Fifty[0]]);
        await Bind("before", Fifty[0], card: 0);
        await Until("before", "Running");

        var port = _server!.Address.Port;
        await _server.DisposeAsync();
        _server = await LabApiServer.StartAsync(new() { StorePath = Path.Combine(_folder, "store"), Port = port }, Cancellation);
        await Bind("after", Fifty[0], card: 0);

        await Until("after", "Running");
        Assert.Equal(2, hollow.DevicesInUse(Fifty[0].Name));
    }

    [Fact]
    public async Task A_pod_that_asks_for_billions_of_devices_is_refused_and_the_next_one_runs()
    {
        await using var hollow = await Start([Fifty[0]]);

        await Bind("greedy", Fifty[0], card: 0, change: pod => pod.Spec.Containers[0].Resources = new()
        {
            Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = new("3000000000") },
        });
        await Bind("next", Fifty[0], card: 0);

        await Until("greedy", "Failed");
        await Until("next", "Running");
    }

    [Fact]
    public async Task Hollow_nodes_go_on_with_another_API_server_that_knows_nothing_of_the_first()
    {
        await using var hollow = await Start([Fifty[0]]);
        await Bind("before", Fifty[0], card: 0);
        await Until("before", "Running");

        var port = _server!.Address.Port;
        await _server.DisposeAsync();
        _server = await LabApiServer.StartAsync(new() { Port = port }, Cancellation);
        await Bind("after", Fifty[0], card: 0);

        await Until("after", "Running");
        await KubeletScene.Eventually(() => Task.FromResult(hollow.DevicesInUse(Fifty[0].Name) == 1));
    }

    public async ValueTask DisposeAsync()
    {
        _kubernetes?.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<HollowNodes> Start(IReadOnlyList<LabNode> nodes, TimeSpan? lease = null)
    {
        _server ??= await LabApiServer.StartAsync(new() { StorePath = Path.Combine(_folder, "store") }, Cancellation);
        _kubernetes ??= new Kubernetes(new KubernetesClientConfiguration { Host = _server.Address.ToString(), AccessToken = "lab" });
        return await HollowNodes.StartAsync(
            new() { Kubernetes = _kubernetes, Nodes = nodes, LeaseDuration = lease ?? TimeSpan.FromSeconds(40) }, Cancellation);
    }

    private Task<V1Pod> Bind(string name, LabNode node, int card, Action<V1Pod>? change = null)
    {
        var pod = new V1Pod
        {
            Metadata = new()
            {
                Name = name,
                Annotations = new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    [HamiKeys.AllocationId] = Guid.NewGuid().ToString(),
                    [HamiKeys.DevicesAllocated] = $"{node.Cards[card].Uuid},NVIDIA,1000,10:;",
                    [HamiKeys.DevicesToAllocate] = $"{node.Cards[card].Uuid},NVIDIA,1000,10:;",
                    [HamiKeys.BindPhase] = BindPhases.Allocating,
                },
            },
            Spec = new() { NodeName = node.Name, RestartPolicy = "Never", Containers = [KubeletScene.Container("c0", 1, "serve")] },
        };
        change?.Invoke(pod);
        return _kubernetes!.CoreV1.CreateNamespacedPodAsync(pod, "default");
    }

    private async Task<IList<V1Pod>> Pods() => (await _kubernetes!.CoreV1.ListNamespacedPodAsync("default")).Items;

    private async Task<Dictionary<string, V1Lease>> Leases() =>
        (await _kubernetes!.CoordinationV1.ListNamespacedLeaseAsync("kube-node-lease")).Items.ToDictionary(l => l.Name(), StringComparer.Ordinal);

    private async Task<V1Pod> Until(string name, string phase)
    {
        V1Pod? pod = null;
        await KubeletScene.Eventually(
            async () =>
            {
                try
                {
                    return (pod = await _kubernetes!.CoreV1.ReadNamespacedPodAsync(name, "default")).Status.Phase == phase;
                }
                catch (Exception e) when (e is HttpRequestException or HttpOperationException)
                {
                    return false;
                }
            },
            () => KubernetesJson.Serialize(pod?.Status));
        return pod!;
    }
}
