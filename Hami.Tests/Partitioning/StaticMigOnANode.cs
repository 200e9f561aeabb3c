extern alias agent;

using agent::Kubelet.DevicePlugin.V1Beta1;
using Grpc.Core;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing.Settings;
using k8s.Models;
using static Hami.Tests.Allocating.AgentOnANode;
using static Hami.Tests.Partitioning.MigNode;

namespace Hami.Tests.Partitioning;

/// <summary>MIG devices that somebody else made, through the whole agent and the pretended NVML.</summary>
public sealed class StaticMigOnANode
{
    [Fact]
    [Trait("Scoreboard", "E10")]
    public async Task Mixed_publishes_each_profile_as_a_resource_of_its_own_beside_whole_cards()
    {
        await using var node = await MigNode.Start(MigStrategy.Mixed, n => Cut(n, $"{A} 1g.5gb 0+1", $"{A} 1g.5gb 1+1", $"{A} 3g.20gb 4+4"), Card(A), Card(B, ""));

        await Eventually(() => node.Kubelet.Others.Count == 2 && node.Kubelet.Health.Count == 10);

        Assert.Equal(
            ["nvidia-gpu.sock nvidia.com/gpu", "nvidia-mig-1g.5gb.sock nvidia.com/mig-1g.5gb", "nvidia-mig-3g.20gb.sock nvidia.com/mig-3g.20gb"],
            node.Kubelet.Registrations.Select(r => $"{r.Endpoint} {r.ResourceName}").Order(StringComparer.Ordinal));
        Assert.All(node.Kubelet.Health.Keys, id => Assert.StartsWith(B, id, StringComparison.Ordinal));
        var small = await Listed(node.Kubelet.Others["nvidia.com/mig-1g.5gb"], d => d.Count == 2);
        Assert.Equal(node.Hand.Instances(A).Where(i => i.Seat.Profile == "1g.5gb").Select(i => i.Parts[0].Uuid).Order(), small.Select(d => d.ID).Order());
        Assert.All(small, d => Assert.Equal("Healthy", d.Health));
        // The scheduler knows of the whole card only.
        await Eventually(() => node.Api.Node.GetAnnotation(HamiKeys.NodeRegister) is { } text && NodeRegister.Decode(text).Select(d => d.Id).SequenceEqual([B]));
    }

    [Fact]
    [Trait("Scoreboard", "E10")]
    public async Task A_static_MIG_device_is_handed_out_without_the_scheduler_and_only_one_that_is_there()
    {
        await using var node = await MigNode.Start(MigStrategy.Mixed, n => Cut(n, $"{A} 1g.5gb 0+1", $"{A} 1g.5gb 1+1"), Card(A));
        await Eventually(() => node.Kubelet.Others.ContainsKey("nvidia.com/mig-1g.5gb"));
        var plugin = node.Kubelet.Others["nvidia.com/mig-1g.5gb"];

        var answer = await plugin.AllocateAsync(Ask(node.Uuids[1]));

        Assert.Equal(node.Uuids[1], Assert.Single(answer.ContainerResponses).Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Contains("has no MIG device MIG-unknown any more", (await Assert.ThrowsAsync<RpcException>(async () => await plugin.AllocateAsync(Ask("MIG-unknown")))).Status.Detail, StringComparison.Ordinal);
        Assert.Contains("no MIG devices", (await Assert.ThrowsAsync<RpcException>(async () => await plugin.AllocateAsync(Ask($"{A}-0")))).Status.Detail, StringComparison.Ordinal);
        Assert.Equal(2, node.Uuids.Count);
    }

    [Fact]
    [Trait("Scoreboard", "E10")]
    public async Task Single_lets_MIG_devices_stand_for_cards_and_they_start_unasked()
    {
        await using var node = await MigNode.Start(MigStrategy.Single, n => Cut(n, $"{A} 3g.20gb 0+4", $"{B} 3g.20gb 4+4"));

        await Eventually(() => node.Kubelet.Health.Count == 2);

        Assert.Equal(node.Uuids, node.Kubelet.Health.Keys.Order());
        var answer = await node.Kubelet.Plugin.AllocateAsync(Ask(node.Uuids[0]));
        Assert.Equal(node.Uuids[0], Assert.Single(answer.ContainerResponses).Envs["NVIDIA_VISIBLE_DEVICES"]);
        await node.Kubelet.Plugin.PreStartContainerAsync(new PreStartContainerRequest { DevicesIds = { node.Uuids[0] } });
        var hint = await node.Kubelet.Plugin.GetPreferredAllocationAsync(new PreferredAllocationRequest
        {
            ContainerRequests = { new ContainerPreferredAllocationRequest { AvailableDeviceIDs = { node.Uuids }, AllocationSize = 1 } },
        });
        Assert.Empty(hint.ContainerResponses);
        // The scheduler never hears of them.
        Assert.Null(node.Api.Node.GetAnnotation(HamiKeys.NodeRegister));
    }

    [Fact]
    [Trait("Scoreboard", "E10")]
    public async Task None_publishes_no_MIG_device_and_an_instance_that_vanishes_is_told()
    {
        await using var none = await MigNode.Start(MigStrategy.None, n => Cut(n, $"{A} 1g.5gb 0+1"));
        await Eventually(() => none.Kubelet.Health.Count == 14);
        Assert.DoesNotContain(none.Kubelet.Health.Keys, id => id.StartsWith("MIG-", StringComparison.Ordinal));
        Assert.Empty(none.Kubelet.Others);

        await using var mixed = await MigNode.Start(MigStrategy.Mixed, n => Cut(n, $"{A} 1g.5gb 0+1", $"{A} 1g.5gb 1+1"), Card(A));
        await Eventually(() => mixed.Kubelet.Others.ContainsKey("nvidia.com/mig-1g.5gb"));
        var plugin = mixed.Kubelet.Others["nvidia.com/mig-1g.5gb"];
        await Listed(plugin, d => d.Count == 2);
        var gone = mixed.Hand.Instances(A)[0];
        mixed.Hand.DestroyComputeInstance(A, gone.Id, 0);
        mixed.Hand.DestroyGpuInstance(A, gone.Id);
        Assert.Equal(mixed.Uuids, (await Listed(plugin, d => d.Count == 1)).Select(d => d.ID));
    }

    [Fact(Timeout = 60_000)]
    public async Task An_error_of_an_instance_makes_that_instance_ill_and_no_other()
    {
        await using var node = await MigNode.Start(MigStrategy.Mixed, n => Cut(n, $"{A} 1g.5gb 0+1", $"{A} 1g.5gb 1+1"), Card(A));
        await Eventually(() => node.Kubelet.Others.ContainsKey("nvidia.com/mig-1g.5gb"));
        var plugin = node.Kubelet.Others["nvidia.com/mig-1g.5gb"];
        await Listed(plugin, d => d.Count == 2);
        var ill = node.Hand.Instances(A)[1];

        // Heard by who listens already; since when that is the agent does not say.
        while ((await Listed(plugin, _ => true)).All(d => d.Health == "Healthy"))
        {
            node.Cards.Xid(A, 79, ill.Id, 0);
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        Assert.Equal([ill.Parts[0].Uuid], (await Listed(plugin, _ => true)).Where(d => d.Health == "Unhealthy").Select(d => d.ID));
    }

    [Fact]
    public async Task A_kubelet_that_starts_again_has_every_resource_back()
    {
        await using var node = await MigNode.Start(MigStrategy.Mixed, n => Cut(n, $"{A} 1g.5gb 0+1"), Card(A), Card(B, ""));
        await Eventually(() => node.Kubelet.Others.Count == 1 && node.Kubelet.Health.Count == 10);

        await node.RestartKubelet();

        await Eventually(() => node.Kubelet.Others.Count == 1 && node.Kubelet.Health.Count == 10);
        await Listed(node.Kubelet.Others.Values.Single(), d => d.Count == 1);
    }

    [Fact]
    public async Task Device_nodes_and_indexes_are_those_of_the_instance()
    {
        await using var node = await MigNode.Start(
            MigStrategy.Mixed,
            n =>
            {
                Cut(n, $"{B} 1g.5gb 0+1", $"{B} 1g.5gb 1+1");
                n.Handing = new() { PassDeviceSpecs = true, IdStrategy = Hami.NodeAgent.Allocating.DeviceIdStrategy.Index };
                Directory.CreateDirectory(Path.Combine(n.Proc, "driver", "nvidia-caps"));
                File.WriteAllLines(
                    Path.Combine(n.Proc, "driver", "nvidia-caps", "mig-minors"),
                    n.Hand.Instances(B).SelectMany(i => new[] { $"gpu1/gi{i.Id}/access {100 + i.Id}", $"gpu1/gi{i.Id}/ci0/access {200 + i.Id}" }));
            },
            Card(A, ""), Card(B));
        await Eventually(() => node.Kubelet.Others.ContainsKey("nvidia.com/mig-1g.5gb"));
        var second = node.Hand.Instances(B)[1];

        var answer = Assert.Single((await node.Kubelet.Others["nvidia.com/mig-1g.5gb"].AllocateAsync(Ask(second.Parts[0].Uuid!))).ContainerResponses);

        Assert.Equal("1:1", answer.Envs["NVIDIA_VISIBLE_DEVICES"]);
        Assert.Equal(
            ["/dev/nvidia1", $"/dev/nvidia-caps/nvidia-cap{100 + second.Id}", $"/dev/nvidia-caps/nvidia-cap{200 + second.Id}"],
            answer.Devices.Select(d => d.HostPath).Where(p => p != "/dev/nvidiactl" && !p.Contains("uvm", StringComparison.Ordinal) && !p.Contains("modeset", StringComparison.Ordinal)));
    }

    private static AllocateRequest Ask(params string[] ids) => new() { ContainerRequests = { new ContainerAllocateRequest { DevicesIds = { ids } } } };

    private static void Cut(MigNode node, params string[] seats)
    {
        foreach (var seat in seats.Select(MigGiven.Seat))
            node.Hand.CreateComputeInstance(seat.Card, node.Hand.CreateGpuInstance(seat));
    }
}
