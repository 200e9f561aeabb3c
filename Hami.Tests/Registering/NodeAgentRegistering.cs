using Hami.Domain.Protocol;
using Hami.Tests.Allocating;
using k8s.Models;
using static Hami.Tests.Allocating.AgentOnANode;

namespace Hami.Tests.Registering;

/// <summary>The agent towards a kubelet and an API server in one process.</summary>
public sealed class NodeAgentRegistering
{
    [Fact]
    public async Task The_kubelet_learns_the_resource_and_the_node_carries_its_cards_in_one_patch()
    {
        await using var node = await Start();

        Assert.True(node.Kubelet.Registrations.TryPeek(out var request));
        Assert.Equal("v1beta1 nvidia-gpu.sock nvidia.com/gpu", $"{request.Version} {request.Endpoint} {request.ResourceName}");
        Assert.True(request.Options.PreStartRequired && request.Options.GetPreferredAllocationAvailable);
        Assert.Contains("GPU-b-9", node.Kubelet.Health);
        await Eventually(() => node.Api.Node.GetAnnotation(HamiKeys.NodeRegister) is not null);
        Assert.Equal(["GPU-a", "GPU-b"], NodeRegister.Decode(node.Api.Node.GetAnnotation(HamiKeys.NodeRegister)!).Select(d => d.Id));
        Assert.Equal(1, node.Api.NodePatches);
    }

    [Fact]
    public async Task A_card_that_falls_ill_is_told_to_the_kubelet_and_on_the_node_and_a_broken_file_changes_nothing()
    {
        await using var node = await Start();
        await Eventually(() => node.Api.NodePatches == 1);

        await File.WriteAllTextAsync(node.DeviceFilePath, "devices: oops");
        await Task.Delay(700);
        Assert.Equal(20, node.Kubelet.Health.Values.Count(h => h == "Healthy"));
        await File.WriteAllTextAsync(node.DeviceFilePath, BothHealthy.Replace("GPU-b, model: NVIDIA A100,", "GPU-b, model: NVIDIA A100, healthy: false,", StringComparison.Ordinal));

        await Eventually(() => node.Kubelet.Health.Values.Count(h => h == "Unhealthy") == 10);
        await Eventually(() => node.Api.NodePatches == 2);
        Assert.Equal([true, false], NodeRegister.Decode(node.Api.Node.GetAnnotation(HamiKeys.NodeRegister)!).Select(d => d.Health));
    }

    [Fact]
    public async Task A_kubelet_that_comes_late_is_registered_with_when_it_comes()
    {
        await using var node = await Start(kubelet: false);
        await Task.Delay(300);
        Assert.Equal(0, node.Api.NodePatches);

        await node.StartKubelet();

        await Eventually(() => node.Kubelet.Health.Count == 20);
    }

    [Fact]
    [Trait("Scoreboard", "F17")]
    public async Task A_kubelet_that_starts_again_and_removes_all_sockets_has_the_plugin_back_at_once()
    {
        await using var node = await Start();
        var old = node.Kubelet;
        await old.DisposeAsync();

        var before = TimeProvider.System.GetTimestamp();
        await node.StartKubelet();
        await Eventually(() => node.Kubelet.Health.Count == 20);

        Assert.True(TimeProvider.System.GetElapsedTime(before) < TimeSpan.FromSeconds(2));
        Assert.Single(node.Kubelet.Registrations);
        await Task.Delay(1500);
        Assert.Single(node.Kubelet.Registrations);
    }

    [Fact]
    public async Task A_socket_that_another_copy_took_away_is_made_again()
    {
        await using var node = await Start();

        File.Delete(Path.Combine(node.Dir, "device-plugins", "nvidia-gpu.sock"));

        await Eventually(() => node.Kubelet.Registrations.Count == 2 && node.Kubelet.Health.Count == 20);
    }

    [Fact]
    public async Task An_agent_that_stops_takes_its_socket_away()
    {
        await using var node = await Start();

        await node.StopAgent();

        Assert.False(File.Exists(Path.Combine(node.Dir, "device-plugins", "nvidia-gpu.sock")));
        await Eventually(() => node.Kubelet.Health.Count == 0);
    }

    [Fact]
    public async Task Of_two_copies_the_later_serves_and_the_earlier_takes_over_again_when_it_goes()
    {
        await using var node = await Start();
        using var later = await node.StartCopy();
        // Once at once and once more, as the kubelet drops the resource when the earlier one lets go.
        await Eventually(() => node.Kubelet.Registrations.Count == 3);
        await Task.Delay(2500);
        Assert.Equal(3, node.Kubelet.Registrations.Count);
        Assert.Equal(20, node.Kubelet.Health.Count);

        await later.StopAsync();

        await Eventually(() => node.Kubelet.Registrations.Count == 4 && node.Kubelet.Health.Count == 20);
        var pod = node.Bind(NodePods.Pod("p", "GPU-b,NVIDIA,3000,50:;", [1]));
        Assert.Equal("GPU-b", (await node.Kubelet.Admit(pod))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
    }
}
