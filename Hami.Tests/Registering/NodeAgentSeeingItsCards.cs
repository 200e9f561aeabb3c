using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s.Models;
using static Hami.Tests.Allocating.AgentOnANode;

namespace Hami.Tests.Registering;

/// <summary>The whole agent over the pretended NVML: what it publishes.</summary>
[Trait("Scoreboard", "F01")]
public sealed class NodeAgentSeeingItsCards
{
    private const string A = "GPU-00000000-0000-0000-0000-00000000000a";
    private const string B = "GPU-00000000-0000-0000-0000-00000000000b";
    private const string C = "GPU-00000000-0000-0000-0000-00000000000c";

    [Fact]
    [Trait("Scoreboard", "F03")]
    [Trait("Scoreboard", "F01")]
    public async Task What_NVML_tells_of_the_cards_stands_on_the_node_and_with_the_kubelet()
    {
        using var cards = new PretendedCards(
            $"{A};Tesla P4;7611;20;bus=00000000:3B:00.0",
            $"{B};NVIDIA A100-SXM4-40GB;40960;108;mig=on",
            $"{C};NVIDIA GB10;0;48;memory=unsupported");
        await using var node = await AgentWithNvml.Start(cards, before: n =>
        {
            var device = Directory.CreateDirectory(Path.Combine(n.Dir, "sys", "bus", "pci", "devices", "0000:3b:00.0"));
            File.WriteAllText(Path.Combine(device.FullName, "numa_node"), "1\n");
        });

        await Eventually(() => node.Published.Count == 2 && node.Kubelet.Health.Count == 17);
        var (p4, a100) = (node.Published[0], node.Published[1]);
        Assert.Equal((A, 0, 10, 7611, 100, "NVIDIA-Tesla P4", 1, "hami-core", true), (p4.Id, p4.Index, p4.Count, p4.MemoryMiB, p4.Cores, p4.Type, p4.Numa, p4.Mode, p4.Health));
        Assert.Equal((B, 1, 7, 40960, "mig", true), (a100.Id, a100.Index, a100.Count, a100.MemoryMiB, a100.Mode, a100.Health));
        Assert.Equal(["1g.5gb 15", "2g.10gb 29", "3g.20gb 43", "7g.40gb 100"], a100.MigProfiles!.Select(m => $"{m.Name} {m.Cores}"));
        Assert.Single(node.Log, l => l.StartsWith($"The card {C} (NVIDIA GB10) is not shared: it does not tell its memory", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_NVML_the_agent_says_so_once_publishes_nothing_and_goes_on_when_it_comes()
    {
        using var cards = new PretendedCards($"{A};NVIDIA A100-SXM4-40GB;40960;108");
        cards.Lost = true;
        await using var node = await AgentWithNvml.Start(cards, before: n => n.Api.Node.SetAnnotation(HamiKeys.NodeRegister, """[{"id":"GPU-of-old","count":10}]"""));

        await Eventually(() => node.Api.NodePatches == 1 && node.Log.Any(l => l.StartsWith("No cards: NVML is not there", StringComparison.Ordinal)));
        Assert.Null(node.Annotation);
        await Task.Delay(500);
        Assert.Single(node.Log, l => l.StartsWith("No cards: NVML is not there", StringComparison.Ordinal));
        // Case 7: a node without cards has no such resource.
        Assert.Empty(node.Kubelet.Registrations);

        cards.Lost = false;

        await Eventually(() => node.Published.Count == 1 && node.Kubelet.Health.Count == 10);
        Assert.Equal(2, node.Api.NodePatches);
    }

    [Fact]
    public async Task Case_9_and_10_one_patch_is_all_until_somebody_changes_what_it_wrote()
    {
        using var cards = new PretendedCards([.. Enumerable.Range(0, 8).Select(i => $"GPU-00000000-0000-0000-0000-00000000000{i};NVIDIA A100-SXM4-40GB;40960;108")]);
        await using var node = await AgentWithNvml.Start(cards, before: n => n.Api.Away = true);
        await Eventually(() => node.Log.Any(l => l.Contains("could not be checked or written", StringComparison.Ordinal)));
        node.Api.Away = false;
        await Eventually(() => node.Published.Count == 8);
        await Task.Delay(1000);
        Assert.Equal(1, node.Api.NodePatches);
        Assert.Equal(Enumerable.Range(0, 8), node.Published.Select(d => d.Index));

        node.Api.Node.Annotations().Remove(HamiKeys.NodeRegister);
        await Eventually(() => node.Published.Count == 8);
        node.Api.Node.SetAnnotation(HamiKeys.NodeRegister, "[]");
        await Eventually(() => node.Annotation is not "[]");
        Assert.Equal(8, node.Published.Count);
        Assert.Equal(3, node.Api.NodePatches);
    }

    [Fact]
    public async Task A_node_whose_cards_are_all_hidden_publishes_none_any_more_and_tells_the_kubelet()
    {
        using var cards = new PretendedCards($"{A};T4;16384;40", $"{B};T4;16384;40");
        await using var node = await AgentWithNvml.Start(cards);
        await Eventually(() => node.Published.Count == 2 && node.Kubelet.Health.Count == 20);

        await AgentWithNvml.Put(node.NodeConfig, $$$"""{"nodeconfig":[{"name":"node-1","filterdevices":{"uuid":["{{{A}}}"],"index":[1]}}]}""");

        await Eventually(() => node.Annotation is null && node.Kubelet.Health.Count == 0);
        Assert.True(node.Api.Node.Annotations().ContainsKey(HamiKeys.NodeAgent));

        File.Delete(node.NodeConfig);

        await Eventually(() => node.Published.Count == 2 && node.Kubelet.Health.Count == 20);
    }

    [Fact]
    [Trait("Scoreboard", "F09")]
    [Trait("Scoreboard", "F14")]
    public async Task Another_configuration_of_the_node_is_in_force_at_once_and_a_broken_one_changes_nothing()
    {
        using var cards = new PretendedCards($"{A};T4;16384;40;bus=00000000:3B:00.0", $"{B};T4;16384;40");
        await using var node = await AgentWithNvml.Start(cards);
        await Eventually(() => node.Published.Count == 2 && node.Kubelet.Health.Count == 20);

        await AgentWithNvml.Put(node.NodeConfig, """{"nodeconfig":[{"name":"node-1","devicesplitcount":2,"devicememoryscaling":1.5,"devicecorescaling":2,"operatingmode":"mps","filterdevices":{"index":[1]}}]}""");
        await Eventually(() => node.Known == $"{A}-0=Healthy {A}-1=Healthy" && node.Published is [{ Count: 2, MemoryMiB: 24576, Cores: 200, Mode: "mps" }]);

        await AgentWithNvml.Put(node.NodeConfig, """{"nodeconfig":""");
        await Eventually(() => node.Log.Any(l => l.Contains("is not JSON at line 1", StringComparison.Ordinal)));
        await Task.Delay(1100);
        Assert.Equal($"{A}-0=Healthy {A}-1=Healthy", node.Known);
        Assert.Single(node.Log, l => l.Contains("is not JSON at line 1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Case_15_pair_scores_come_with_the_cards_in_one_patch_and_links_seen_from_one_end_are_told_on_the_node()
    {
        using var cards = new PretendedCards(
            $"{A};H100;81920;132;bus=00000000:01:00.0;path=cpu0/bridge0/switch0/board0;links={B}*12,{C}*2",
            $"{B};H100;81920;132;bus=00000000:02:00.0;path=cpu0/bridge0/switch0/board0;links={A}*12",
            $"{C};H100;81920;132;bus=00000000:03:00.0;path=cpu1/bridge0/switch0/board0;links={A}*1");
        await using var node = await AgentWithNvml.Start(cards, options => options with { TopologyScore = true });

        await Eventually(() => node.Published.Count == 3 && !node.Api.Events.IsEmpty);
        Assert.Equal(1, node.Api.NodePatches);
        Assert.Equal(
            [(A, B, 1260), (A, C, 0), (B, A, 1260), (B, C, 10), (C, A, 0), (C, B, 10)],
            NodeScores.Decode(node.Api.Node.GetAnnotation(HamiKeys.NodeScore)!).Select(l => (l.From, l.To, l.Score)));
        var said = k8s.KubernetesJson.Deserialize<Corev1Event>(node.Api.Events.Single());
        Assert.Equal(("AsymmetricGPUP2PLink", "Warning", "Node", "node-1", 1), (said.Reason, said.Type, said.InvolvedObject.Kind, said.InvolvedObject.Name, said.Count));

        await node.StopAgent();
        await node.StartAgent();

        await Eventually(() => node.Api.Events.Count == 2);
        var again = k8s.KubernetesJson.Deserialize<Corev1Event>(node.Api.Events.Last());
        Assert.Equal((said.Name(), 2, said.FirstTimestamp), (again.Name(), again.Count, again.FirstTimestamp));
        Assert.Equal(1, node.Api.NodePatches);
    }
}
