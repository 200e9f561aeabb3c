using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class ReadingWhatAPodAsks
{
    [Theory]
    // gpu, gpumem, percentage, cores → count, MiB, percent, cores
    [InlineData(1L, null, null, null, 1, 0, 100, 0)]
    [InlineData(2L, 4096L, null, null, 2, 4096, 0, 0)]
    [InlineData(1L, null, 50L, null, 1, 0, 50, 0)]
    [InlineData(1L, null, 0L, null, 1, 0, 100, 0)]
    [InlineData(1L, 2000L, 0L, null, 1, 2000, 0, 0)]
    [InlineData(1L, 0L, null, 120L, 1, 0, 100, 100)]
    [InlineData(1L, 1048575L, null, null, 1, 1048575, 0, 0)]
    [InlineData(1L, 17179869184L, null, 30L, 1, 16384, 0, 30)]
    public void Each_resource_becomes_its_part_of_the_ask(long? gpu, long? mem, long? percent, long? cores, int count, long memoryMiB, int memoryPercent, int wantedCores)
    {
        var (ask, refusal) = Parse(Pods.Container("main", gpu, mem, percent, cores));

        Assert.Null(refusal);
        Assert.Equal(new ContainerAsk("main", false, count, memoryMiB, memoryPercent, wantedCores), Assert.Single(ask.Containers));
    }

    [Theory]
    [InlineData(-1L, null, null, null, "nvidia.com/gpu: -1")]
    [InlineData(5000L, null, null, null, "from 0 to 1024")]
    [InlineData(1L, -5L, null, null, "nvidia.com/gpumem: -5")]
    [InlineData(1L, 2_000_000L, null, null, "neither MiB")]
    [InlineData(1L, long.MaxValue, null, null, "no card has that much memory")]
    [InlineData(1L, null, 101L, null, "from 0 to 100")]
    [InlineData(1L, null, null, -3L, "nvidia.com/gpucores: -3")]
    public void A_value_no_card_could_serve_is_refused_in_a_sentence(long? gpu, long? mem, long? percent, long? cores, string sentence)
    {
        var (_, refusal) = Parse(Pods.Container("main", gpu, mem, percent, cores));

        Assert.NotNull(refusal);
        Assert.Contains("container main asks", refusal.Sentence, StringComparison.Ordinal);
        Assert.Contains(sentence, refusal.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_card_asked_in_requests_only_counts_like_a_limit()
    {
        var (ask, _) = Parse(new ContainerShape("main", false, false, Pods.None, new Dictionary<string, decimal>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = 2 }));

        Assert.Equal(2, ask.Containers[0].Count);
    }

    [Theory]
    [InlineData("A100,V100", "NVIDIA A100-SXM4-40GB", true)]
    [InlineData("a100", "NVIDIA A100-SXM4-40GB", true)]
    [InlineData("V100", "NVIDIA A100-SXM4-40GB", false)]
    [InlineData("V100,", "NVIDIA A100-SXM4-40GB", false)]
    [InlineData(" , ", "NVIDIA A100-SXM4-40GB", true)]
    [InlineData("A10", "NVIDIA A100", true)]
    public void The_wanted_types_are_parts_of_the_model(string wanted, string model, bool allowed) =>
        Assert.Equal(allowed, Ask(HamiKeys.UseGpuType, wanted).Wish.AllowsType(Asks.Card("GPU-a", model)));

    [Theory]
    [InlineData("V100,", true)]
    [InlineData("A100", false)]
    [InlineData("", true)]
    public void The_unwanted_types_are_left_out(string unwanted, bool allowed) =>
        Assert.Equal(allowed, Ask(HamiKeys.NoUseGpuType, unwanted).Wish.AllowsType(Asks.Card("GPU-a", "NVIDIA A100")));

    [Theory]
    [InlineData("spread", NodePolicy.Spread)]
    [InlineData("binpack", NodePolicy.Binpack)]
    [InlineData("nonsense", NodePolicy.Binpack)]
    public void A_policy_it_does_not_know_is_the_default(string text, NodePolicy nodes) =>
        Assert.Equal(nodes, Ask(HamiKeys.NodePolicy, text).Nodes);

    private static PodAsk Ask(string annotation, string value) => PodAskParser.Parse(
        Pods.Shape("p", Pods.Container("main", 1)) with { Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [annotation] = value } },
        ResourceNames.Nvidia, PlacementPolicy.Default).Ask;

    private static (PodAsk Ask, Domain.Ledger.Refusal? Refusal) Parse(ContainerShape container) =>
        PodAskParser.Parse(Pods.Shape("p", container), ResourceNames.Nvidia, PlacementPolicy.Default);
}
