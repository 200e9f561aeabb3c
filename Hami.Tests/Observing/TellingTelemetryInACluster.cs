using Hami.Lab.Cluster;
using Hami.Tests.Given;

namespace Hami.Tests.Observing;

/// <summary>A whole lab, as <c>./hami up</c> starts it.</summary>
public sealed class TellingTelemetryInACluster
{
    [Fact]
    public async Task Every_agent_of_a_lab_tells_its_control_plane_what_its_cards_do()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable("HAMI_TEST_KUBECONFIG") is { Length: > 0 }, "Agents have no account of their own in a cluster of somebody else's.");
        await using var cluster = await TestCluster.StartAsync(nodes: [.. LabNode.Three.Take(2)]);
        var cards = cluster.Lab.Nodes.Sum(n => n.Cards.Count);

        await ControlPlaneScene.UntilAsync(
            async () => (await cluster.Lab.ControlPlane.QueryAsync("{ clusterUsage { devices } }", TestContext.Current.CancellationToken))["clusterUsage"]?["devices"]?.GetValue<int>() == cards,
            () => string.Join('\n', Directory.EnumerateFiles(cluster.Lab.Logs).Where(f => f.Contains("agent", StringComparison.Ordinal)).SelectMany(f => File.ReadLines(f).TakeLast(20))));
    }
}
