using Hami.NodeAgent.Observing;
using static Hami.Tests.Observing.WatchedNode;

namespace Hami.Tests.Observing;

/// <summary>Whose turn it is, as it gets into the regions.</summary>
public sealed class TellingTurns
{
    [Theory]
    [Trait("Node", "case 48")]
    [InlineData(RegionKind.Ours)]
    [InlineData(RegionKind.HamiV1)]
    [InlineData(RegionKind.HamiV0)]
    public async Task Two_words_of_each_region_are_written_and_nothing_else(object kind)
    {
        RegionImage Region(int recent, int @switch) => new RegionImage((RegionKind)kind).Card(0, CardA).Process(0, 1).Use(0, 0, buffer: 5).Words(recent, @switch, priority: 7, lastKernel: 9);
        await using var node = await Start();
        await node.Bind("high", [CardA], with: pod => Priority(pod, "0"));
        await node.Bind("low", [CardA]);
        var (high, low) = (node.Put("high", "c0", Region(2, 1)), node.Put("low", "c0", Region(2, 1)));
        var feedback = node.Room<PriorityFeedback>();

        feedback.Take();
        Assert.Equal(Region(1, 0).Bytes, await File.ReadAllBytesAsync(high));
        Assert.Equal(Region(-1, 1).Bytes, await File.ReadAllBytesAsync(low));

        feedback.Take();
        Assert.Equal(Region(0, 0).Bytes, await File.ReadAllBytesAsync(high));
        Assert.Equal(Region(0, 0).Bytes, await File.ReadAllBytesAsync(low));
    }

    [Fact]
    public async Task A_region_that_says_it_is_of_high_priority_gains_nothing_by_it()
    {
        await using var node = await Start();
        await node.Bind("high", [CardA], with: pod => Priority(pod, "0"));
        await node.Bind("liar", [CardA]);
        node.Put("high", "c0", new RegionImage(RegionKind.Ours).Words(2, priority: 1));
        var liar = node.Put("liar", "c0", new RegionImage(RegionKind.Ours).Words(2, priority: 0));
        node.Room<PriorityFeedback>().Take();
        Assert.Equal(new RegionImage(RegionKind.Ours).Words(-1, @switch: 1, priority: 0).Bytes, await File.ReadAllBytesAsync(liar));
    }

    [Fact]
    public async Task An_agent_that_ends_leaves_nobody_blocked()
    {
        string low;
        await using (var node = await Start())
        {
            await node.Bind("high", [CardA], with: pod => Priority(pod, "0"));
            await node.Bind("low", [CardA]);
            node.Put("high", "c0", new RegionImage(RegionKind.HamiV1).Words(2));
            low = node.Put("low", "c0", new RegionImage(RegionKind.HamiV1).Words(2));
            node.Room<PriorityFeedback>().Take();
            Assert.Equal(new RegionImage(RegionKind.HamiV1).Words(-1).Bytes, await File.ReadAllBytesAsync(low));
            await node.Room<PriorityFeedback>().StopAsync(default);
            Assert.Equal(new RegionImage(RegionKind.HamiV1).Words(0).Bytes, await File.ReadAllBytesAsync(low));
        }
    }

    private static void Priority(k8s.Models.V1Pod pod, string priority) => pod.Spec.Containers[0].Env = [new() { Name = "CUDA_TASK_PRIORITY", Value = priority }];
}
