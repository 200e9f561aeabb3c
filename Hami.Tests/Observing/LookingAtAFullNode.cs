using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Registering;
using Hami.Tests.Allocating;
using Hami.Tests.Given;

namespace Hami.Tests.Observing;

/// <summary>What it costs to look at eight cards and eighty containers.</summary>
public sealed class LookingAtAFullNode(ITestOutputHelper output)
{
    [Fact]
    public async Task A_look_at_eighty_containers_leaves_little_to_collect()
    {
        var uuids = Enumerable.Range(1, 8).Select(i => $"GPU-00000000-0000-0000-0000-00000000000{i}").ToList();
        using var cards = new PretendedCards([.. uuids.Select(uuid => $"{uuid};{PretendedCards.A100With80GB}")]);
        await using var node = await WatchedNode.Start(o => o with { SampleInterval = TimeSpan.FromMinutes(5) }, [cards.Library]);
        await AgentOnANode.Eventually(() => node.Room<CardInventory>().Cards.Length == 8);
        for (var pod = 0; pod < 80; pod++)
        {
            await node.Bind($"p{pod}", [string.Join(',', uuids)]);
            var region = new RegionImage(RegionKind.HamiV1);
            foreach (var (device, uuid) in uuids.Index())
                region.Card(device, uuid, 1 << 30);
            for (var process = 0; process < 4; process++)
                region.Process(process, hostPid: 0).Use(process, 0, buffer: 1 << 20);
            node.Put($"p{pod}", "c0", region);
        }
        var sampling = node.Room<Sampling>();
        Assert.NotNull(sampling.Look().Cards[7].MemoryTotalBytes);
        for (var warm = 0; warm < 50; warm++)
            Assert.Equal(640, sampling.Look().Shares.Length);

        const int looks = 20;
        var (allocated, begun) = (GC.GetAllocatedBytesForCurrentThread(), Environment.CpuUsage.TotalTime);
        for (var look = 0; look < looks; look++)
            sampling.Look();
        var took = Environment.CpuUsage.TotalTime - begun;
        allocated = (GC.GetAllocatedBytesForCurrentThread() - allocated) / looks;
        output.WriteLine($"{took.TotalMilliseconds / looks:0.0} ms of a core, {allocated >> 10} KiB");
        Assert.True(allocated < 2 << 20, $"{allocated >> 10} KiB for one look");
    }
}
