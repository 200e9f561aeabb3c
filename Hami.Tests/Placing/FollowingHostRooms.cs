using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Placing;

/// <summary>CPU and memory of a node's own that its pods leave free.</summary>
public sealed class FollowingHostRooms
{
    private readonly ClusterView _view = new(new FakeTimeProvider());
    private readonly HostRooms _rooms;

    public FollowingHostRooms()
    {
        _rooms = new(_view, new(new NoLog(), new(NodePolicy.Fragmentation, CardPolicy.Spread)), NvidiaConfig.Hami);
        Register("n1");
        _rooms.See(Node("n1", "8", "16Gi"));
    }

    [Fact]
    public void A_pod_bound_there_takes_room_and_gives_it_back_when_it_ends_or_goes()
    {
        _rooms.See(Pod("a", "n1", "1500m", "1Gi"));
        Assert.Equal(new(6500, 15360), Room("n1"));

        // Seen again, and one that waits: nothing new.
        _rooms.See(Pod("a", "n1", "1500m", "1Gi"));
        _rooms.See(Pod("w", "", "4", "4Gi"));
        Assert.Equal(new(6500, 15360), Room("n1"));

        _rooms.See(Pod("b", "n1", "2", "2Gi"));
        Assert.Equal(new(4500, 13312), Room("n1"));
        _rooms.See(Pod("b", "n1", "2", "2Gi", phase: "Succeeded"));
        _rooms.ForgetPod("a");
        Assert.Equal(new(8000, 16384), Room("n1"));
    }

    [Fact]
    public void A_pod_takes_the_most_it_needs_at_once_and_its_overhead()
    {
        var pod = Pod("a", "n1", "1", "1Gi");
        pod.Spec.InitContainers = [Container("init", "3", "1Gi"), Container("side", "500m", "1Gi", always: true)];
        pod.Spec.Overhead = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new("250m") };

        _rooms.See(pod);

        // init alone needs 3 CPUs; app and sidecar together 2 GiB.
        Assert.Equal(new(8000 - 3250, 16384 - 2048), Room("n1"));
    }

    [Fact]
    public void A_resized_pod_counts_anew()
    {
        _rooms.See(Pod("a", "n1", "1", "1Gi"));
        _rooms.See(Pod("a", "n1", "3", "1Gi", generation: 2));

        Assert.Equal(new(5000, 15360), Room("n1"));
    }

    [Fact]
    public void Pods_missing_from_a_complete_list_are_gone_and_those_listed_stay()
    {
        _rooms.See(Pod("a", "n1", "1", "1Gi"));
        _rooms.Replace([Pod("b", "n1", "2", "1Gi")]);

        Assert.Equal(new(6000, 15360), Room("n1"));
    }

    [Fact]
    public void A_node_is_told_of_its_room_when_its_cards_come_and_more_pods_than_fit_leave_nothing()
    {
        _rooms.See(Node("n2", "2", "4Gi"));
        _rooms.See(Pod("a", "n2", "3", "1Gi"));
        Register("n2");
        Assert.Null(_view.Node("n2")!.Host);
        _rooms.See(Node("n2", "2", "4Gi"));

        Assert.Equal(new(0, 3072), Room("n2"));
    }

    [Fact]
    public void A_node_changes_only_when_its_room_does()
    {
        _rooms.See(Pod("a", "n1", "1", "1Gi"));
        var before = _view.Node("n1");

        _rooms.See(Node("n1", "8", "16Gi"));
        _rooms.See(Pod("none", "n1", "0", "0"));

        Assert.Same(before, _view.Node("n1"));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("hami.io/node-scheduler-policy", "fragmentation")]
    [InlineData("hami.io/gpu-scheduler-policy", "numa, fragmentation")]
    public void Placement_hears_of_it_once_somebody_places_by_fragmentation(string? annotation, string? value)
    {
        var rooms = new HostRooms(_view, new(new NoLog(), PlacementPolicy.Default), NvidiaConfig.Hami);
        Register("n3");
        rooms.See(Node("n3", "8", "16Gi"));
        rooms.See(Pod("a", "n3", "1", "1Gi"));
        Assert.Null(_view.Node("n3")!.Host);

        var pod = Pod("w", "", "1", "1Gi");
        if (annotation is not null)
            pod.Metadata.Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [annotation] = value! };
        rooms.See(pod);

        Assert.Equal(annotation is null ? null : new HostRoom(7000, 15360), _view.Node("n3")!.Host);
    }

    [Fact]
    public async Task A_placement_is_decided_and_written_with_what_pods_bound_by_others_leave()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, memoryMiB: 100_000, slots: 100, flags: ["--node-scheduler-policy", "fragmentation"]);
        var status = new { status = new { allocatable = new { pods = "110", cpu = "4", memory = "8Gi" } } };
        await scene.Kubernetes.CoreV1.PatchNodeStatusAsync(new V1Patch(status, V1Patch.PatchType.MergePatch), "n1");
        await scene.CreatePodAsync("other", also: pod =>
        {
            pod.Spec.SchedulerName = "default-scheduler";
            pod.Spec.NodeName = "n1";
            pod.Spec.Containers = [Container("main", "1", "1Gi")];
            pod.Spec.Containers[0].Image = "x";
        });

        await PlacedWithAsync(scene, "p", 3000);
        await scene.DeletePodAsync("other");
        await PlacedWithAsync(scene, "q", 4000);
    }

    /// <summary>Sooner or later the watch has told of it.</summary>
    private static async Task PlacedWithAsync(ControlPlaneScene scene, string prefix, long cpuMilli)
    {
        var tries = 0;
        await ControlPlaneScene.UntilAsync(
            async () =>
            {
                var pod = await scene.CreatePodAsync($"{prefix}{tries++}", memoryMiB: 100);
                await scene.FilterAsync(pod.Name(), "n1");
                Assert.Equal("", (await scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
                return (await scene.ColumnAsync("select data->'because'->'host'->>'cpuMilli' from hami.mt_events where type = 'allocation_placed' and data->'because'->'host' <> 'null' order by seq_id"))
                    .LastOrDefault() == $"{cpuMilli}";
            },
            () => $"no placement saw {cpuMilli} thousandths of a CPU:\n{scene.Log}");
    }

    private HostRoom? Room(string node) => _view.Node(node)!.Host;

    private void Register(string node)
    {
        var happened = new NodeEvent.DevicesRegistered(node, [Asks.Card($"GPU-{node}")]);
        var ledger = ClusterLedger.Evolve(ClusterLedger.Empty, Streams.Node(node), DateTimeOffset.UnixEpoch, happened);
        _view.Committed(ledger, [new(1, DateTimeOffset.UnixEpoch, Streams.Node(node), happened)]);
    }

    private static V1Node Node(string name, string cpu, string memory) => new()
    {
        Metadata = new() { Name = name },
        Status = new() { Allocatable = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new(cpu), ["memory"] = new(memory) } },
    };

    private static V1Pod Pod(string uid, string node, string cpu, string memory, string phase = "Running", long generation = 1) => new()
    {
        Metadata = new() { Uid = uid, Name = uid, NamespaceProperty = "default", Generation = generation },
        Spec = new() { NodeName = node.Length == 0 ? null : node, Containers = [Container("main", cpu, memory)] },
        Status = new() { Phase = phase },
    };

    private static V1Container Container(string name, string cpu, string memory, bool always = false) => new()
    {
        Name = name,
        RestartPolicy = always ? "Always" : null,
        Resources = new() { Requests = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new(cpu), ["memory"] = new(memory) } },
    };

    private sealed class NoLog : ILedgerReader
    {
        public ClusterLedger Ledger => ClusterLedger.Empty;
    }
}
