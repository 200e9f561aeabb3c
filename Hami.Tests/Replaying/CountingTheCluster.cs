using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;
using Hami.Tests.Given;

namespace Hami.Tests.Replaying;

/// <summary>The cluster in numbers is what its cards and its ledger say, counted anew or on from another state.</summary>
public sealed class CountingTheCluster
{
    [Fact]
    public void Its_sums_are_those_of_its_cards_and_of_its_ledger_at_every_step_of_any_log() =>
        Gen.Int[0, 100_000].Sample(
            seed =>
            {
                var (ledger, sums) = (ClusterLedger.Empty, ClusterSums.Empty);
                foreach (var (_, at, stream, happened) in new Reading.AnyLog(seed, 60).Events)
                {
                    ledger = ClusterLedger.Evolve(ledger, stream, at, happened);
                    sums = sums.Of(ledger);
                    Equals(ledger, ClusterSummary.Of(sums, at, _ => true));
                }
                Assert.Equivalent(ClusterSummary.Of(ClusterSums.Empty.Of(ledger), default, _ => true), ClusterSummary.Of(sums, default, _ => true), strict: true);
            },
            iter: 40);

    [Fact]
    public void What_did_not_change_is_not_counted_again()
    {
        var before = ClusterSums.Empty.Of(new Reading.AnyLog(5, 200).Cluster);
        var changed = before.Nodes.Keys.Order(StringComparer.Ordinal).First();

        var after = before.Of(before.Ledger with { Nodes = before.Ledger.Nodes.SetItem(changed, before.Ledger.Node(changed) with { Events = 7 }) });

        Assert.All(after.Nodes, n => Assert.Equal(n.Key != changed, ReferenceEquals(n.Value, before.Nodes[n.Key])));
        Assert.Same(after, after.Of(after.Ledger));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("0", "0–9:1")]
    [InlineData("9,10,10,29", "0–9:1 10–19:2 20–29:1")]
    [InlineData("35", "0–9:0 10–19:0 20–29:0 30–39:1")]
    public void Nodes_are_put_in_buckets_by_their_pods_up_to_the_last_that_is_not_empty(string podsOfEach, string expected)
    {
        var log = new Reading.LogOf();
        var cluster = ClusterLedger.Empty;
        foreach (var (pods, n) in podsOfEach.Split(',', StringSplitOptions.RemoveEmptyEntries).Select((p, i) => (int.Parse(p, System.Globalization.CultureInfo.InvariantCulture), i)))
        {
            log.At(0, Streams.Node($"n{n}"), new NodeEvent.DevicesRegistered($"n{n}", [Asks.Card($"GPU-{n}", slots: 100)]));
            for (var p = 0; p < pods; p++)
                log.At(0, Streams.Node($"n{n}"), Adopted($"n{n}", $"pod-{n}-{p}", "default", [new(0, "main", false, $"GPU-{n}", 1, 0)]));
        }
        cluster = log.Events.Aggregate(cluster, (c, e) => ClusterLedger.Evolve(c, e.Stream, e.At, e.Event));

        var buckets = ClusterSummary.Of(ClusterSums.Empty.Of(cluster), default, _ => true).PodsPerNode;

        Assert.Equal(expected, string.Join(' ', buckets.Select(b => $"{b.From}–{b.To}:{b.Nodes}")));
    }

    [Fact]
    public void Types_come_by_number_of_cards_namespaces_by_memory_and_only_those_that_are_seen()
    {
        var cluster = new Reading.LogOf()
            .At(0, Streams.Node("a"), new NodeEvent.DevicesRegistered("a", [Asks.Card("GPU-a0", "X"), Asks.Card("GPU-a1", "Y", index: 1), Asks.Card("GPU-a2", "Y", index: 2, healthy: false)]))
            .At(0, Streams.Node("b"), new NodeEvent.DevicesRegistered("b", [Asks.Card("GPU-b0", "X"), Asks.Card("GPU-b1", "Y", index: 1)]))
            .At(0, Streams.Node("a"), new NodeEvent.DeviceCordoned("GPU-a1"))
            // Two cards for one container, and an init container that ends before the other begins.
            .At(0, Streams.Node("a"), Adopted("a", "p1", "small", [new(0, "main", false, "GPU-a0", 1000, 10), new(0, "main", false, "GPU-a1", 1000, 10)]))
            .At(0, Streams.Node("b"), Adopted("b", "p2", "large", [new(0, "init", true, "GPU-b0", 9000, 50), new(1, "main", false, "GPU-b0", 2000, 20)]))
            .At(0, Streams.Node("b"), Adopted("b", "p3", "hidden", [new(0, "main", false, "GPU-gone", 500, 0)]))
            .Events.Aggregate(ClusterLedger.Empty, (c, e) => ClusterLedger.Evolve(c, e.Stream, e.At, e.Event));

        var summary = ClusterSummary.Of(ClusterSums.Empty.Of(cluster), default, n => n != "hidden");

        Assert.Equal(
            [new DeviceTypeSummary("Y", "NVIDIA", 3, 1, 3 * 40960, 1000, 300, 10), new("X", "NVIDIA", 2, 2, 2 * 40960, 10_000, 200, 60)], summary.Types);
        Assert.Equal([new VendorSummary("NVIDIA", 2, 5)], summary.Vendors);
        Assert.Equal([new NamespaceSummary("large", 1, 1, 9000, 50), new("small", 1, 2, 2000, 20)], summary.Namespaces);
        Assert.Equal((2, 5, 4, 1, 3), (summary.Nodes, summary.Devices, summary.HealthyDevices, summary.CordonedDevices, summary.UsedDevices));
        Assert.Equal((3, 4), (summary.Pods, summary.Containers));
        // What is held of a card that is gone is a part of no card that there is.
        Assert.Equal((11_000, 70, 3), (summary.UsedMemoryMiB, summary.UsedCores, summary.UsedSlots));
    }

    private static NodeEvent.AllocationAdopted Adopted(string node, string pod, string @namespace, IReadOnlyList<Share> shares) =>
        new(Guid.CreateVersion7(), pod, @namespace, pod, node, 2, shares, "the test", true);

    private static void Equals(ClusterLedger ledger, ClusterSummary summary)
    {
        var cards = ledger.Nodes.SelectMany(n => { var use = NodeUse.Of(n.Key, n.Value); return Enumerable.Range(0, use.Cards.Length).Select(i => (Card: use.Cards[i], Use: use.Uses[i], Ledger: n.Value)); }).ToList();
        Assert.Equal(
            (cards.Count, cards.Count(c => c.Card.Healthy), cards.Count(c => c.Ledger.Cordoned.Contains(c.Card.Uuid)), cards.Count(c => c.Use.Slots > 0)),
            (summary.Devices, summary.HealthyDevices, summary.CordonedDevices, summary.UsedDevices));
        Assert.Equal(
            (cards.Sum(c => c.Card.MemoryMiB), cards.Sum(c => c.Use.MemoryMiB), cards.Sum(c => (long)c.Card.Cores), cards.Sum(c => (long)c.Use.Cores), cards.Sum(c => c.Card.Slots), cards.Sum(c => c.Use.Slots)),
            (summary.MemoryMiB, summary.UsedMemoryMiB, summary.Cores, summary.UsedCores, summary.Slots, summary.UsedSlots));
        Assert.Equal(
            (summary.Devices, summary.UsedDevices, summary.MemoryMiB, summary.UsedMemoryMiB, summary.Cores, summary.UsedCores),
            (summary.Types.Sum(t => t.Devices), summary.Types.Sum(t => t.UsedDevices), summary.Types.Sum(t => t.MemoryMiB), summary.Types.Sum(t => t.UsedMemoryMiB), summary.Types.Sum(t => t.Cores), summary.Types.Sum(t => t.UsedCores)));
        Assert.Equal(summary.Devices, summary.Vendors.Sum(v => v.Devices));
        var allocations = ledger.Nodes.Values.SelectMany(n => n.Allocations.Values).ToList();
        Assert.Equal(
            (ledger.LiveByPod.Count, allocations.Sum(a => a.Held.DistinctBy(s => s.ContainerIndex).Count()), ledger.Waiting.Count, ledger.Nodes.Values.Count(n => n.Cards.Count > 0)),
            (summary.Pods, summary.Containers, summary.Waiting, summary.Nodes));
        Assert.Equal(ledger.Nodes.Count, summary.PodsPerNode.Sum(b => b.Nodes));
        // The ledger keeps what each namespace uses for its quotas, by itself; there a namespace that uses neither is missing.
        Assert.Equal(
            ledger.Used.OrderBy(u => u.Key, StringComparer.Ordinal).Select(u => (u.Key, u.Value.MemoryMiB, u.Value.Cores)),
            summary.Namespaces.Where(n => n.MemoryMiB > 0 || n.Cores > 0).OrderBy(n => n.Namespace, StringComparer.Ordinal).Select(n => (n.Namespace, n.MemoryMiB, n.Cores)));
        Assert.Equal(
            allocations.GroupBy(a => a.Namespace, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => (g.Key, g.Count())),
            summary.Namespaces.OrderBy(n => n.Namespace, StringComparer.Ordinal).Select(n => (n.Namespace, n.Pods)));
    }
}
