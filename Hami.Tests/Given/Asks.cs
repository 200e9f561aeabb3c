using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Tests.Given;

/// <summary>Cards and pods in the words of the tests.</summary>
internal static class Asks
{
    public static Card Card(
        string uuid, string model = "NVIDIA A100-SXM4-40GB", long memoryMiB = 40960, int slots = 10, int index = 0, int numa = 0, bool healthy = true) =>
        new(uuid, index, model, memoryMiB, 100, slots, numa, "hami-core", healthy);

    public static PodAsk Pod(
        string uid, int count = 1, long memoryMiB = 1000, int percent = 0, int cores = 0, CardWish? wish = null,
        NodePolicy nodes = NodePolicy.Binpack, string cards = "spread") =>
        new(uid, "default", uid, [new("main", false, count, memoryMiB, percent, cores)], wish ?? CardWish.Any, nodes, new(cards));

    public static PlaceAllocation Place(PodAsk ask, string node) => new(Guid.CreateVersion7(), ask, node, 1, [], []);
}
