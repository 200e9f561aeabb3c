using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;

namespace Hami.Tests.Registering;

public sealed class NodeAgentPublishingItsCards
{
    private static readonly AgentOptions Options = new() { NodeName = "node-1", DeviceFile = "devices.yaml" };

    [Fact]
    public void The_annotation_is_HAMis_and_keeps_the_order_of_the_file() =>
        Assert.Equal(
            """[{"id":"GPU-b","count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100-SXM4-40GB","mode":"hami-core","health":true},"""
            + """{"id":"GPU-a","index":1,"count":10,"devmem":7611,"devcore":100,"type":"NVIDIA-Tesla P4","numa":1,"mode":"hami-core"}]""",
            Publication.Text([new("GPU-b", "NVIDIA A100-SXM4-40GB", 40960, 0, true), new("GPU-a", "Tesla P4", 7611, 1, false) { Index = 1 }], new()));

    [Theory]
    [InlineData(40960, 1.5, 1, "\"devmem\":61440,\"devcore\":100")]
    [InlineData(24564, 1.1, 1, "\"devmem\":27020,\"devcore\":100")]
    [InlineData(24564, 1, 1.15, "\"devmem\":24564,\"devcore\":114")]
    public void Scaled_values_are_cut_not_rounded(long memoryMiB, double memoryScaling, double coreScaling, string expected) =>
        Assert.Contains(expected, Publication.Text([new("GPU-a", "P4", memoryMiB, 0, true)],
            new NodeSettings { MemoryScaling = memoryScaling, CoreScaling = coreScaling }), StringComparison.Ordinal);

    [Fact]
    public void A_socket_path_that_Linux_cannot_take_is_named_before_anything_starts() =>
        Assert.Contains("107 bytes", (Options with { KubeletDir = "/" + new string('k', 90) }).Fault(), StringComparison.Ordinal);
}
