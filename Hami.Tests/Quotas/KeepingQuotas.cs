using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Quotas;
using Hami.Tests.Given;

namespace Hami.Tests.Quotas;

/// <summary>Laws over any order of placing, shrinking, releasing and changing quotas, on several nodes and in two namespaces.</summary>
public sealed class KeepingQuotas
{
    private static readonly string[] Nodes = ["n1", "n2", "n3"];
    private static readonly string[] Namespaces = ["default", "team"];

    private static readonly ClusterLedger ThreeNodes = Nodes.Aggregate(ClusterLedger.Empty, (cluster, node) => QuotaGiven.Node(cluster, node, 8000, 16000));

    // A container's kind, number of cards, MiB (0 for a percentage) and cores.
    private static readonly Gen<ContainerAsk> AnyContainer = Gen.Select(Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 4], Gen.Int[0, 100]).Select(
        (kind, count, size, cores) => new ContainerAsk("c", kind == 0, count, size * 900, size == 0 ? 25 : 0, cores % 5 == 0 ? cores : 0));

    private static readonly Gen<Func<ClusterLedger, ClusterLedger>> AnyStep = Gen.Frequency(
        (6, Gen.Select(Gen.Int[0, 9], Gen.Int[0, 1], Gen.Int[0, 2], AnyContainer.Array[1, 4]).Select((pod, ns, node, containers) => Place(pod, ns, Nodes[node], containers))),
        (2, Gen.Int[0, 9].Select(pod => OnLive(pod, Shrink))),
        (2, Gen.Int[0, 9].Select(pod => OnLive(pod, Release))),
        (2, Gen.Select(Gen.Int[0, 1], Gen.Int[0, 1], Gen.Int[-1, 8], Gen.Int[-1, 4]).Select((ns, name, memory, cores) => Change(ns, name, memory, cores))));

    [Fact]
    [Trait("Scoreboard", "G06")]
    public void No_placement_overdraws_a_quota_in_force_and_the_books_are_a_fresh_sum() => AnyStep.Array[0, 50].Sample(
        steps =>
        {
            var before = ThreeNodes;
            foreach (var step in steps)
            {
                var after = step(before);
                AssertBooks(after);
                // What is there already may exceed a quota that was lowered; then nothing more is placed.
                if (after.LiveByPod.Keys.Except(before.LiveByPod.Keys).SingleOrDefault() is { } placed && after.AllocationOf(placed) is { Shares.Count: > 0 } allocation)
                    AssertWithin(after, allocation.Namespace);
                before = after;
            }
        },
        iter: 500);

    [Fact]
    public void What_a_pod_took_comes_back_exactly_when_it_shrinks_and_ends() => AnyStep.Array[0, 40].Sample(
        steps =>
        {
            var cluster = steps.Aggregate(ThreeNodes, (c, step) => step(c));
            foreach (var (uid, live) in cluster.LiveByPod)
            {
                var allocation = cluster.Node(live.Node).Allocations[live.Id];
                var ended = allocation with { InitsEnded = true };
                var before = Used(cluster, allocation.Namespace);
                var shrunk = cluster.Shrinking(uid);
                Assert.Equal(before - Fresh(allocation) + Fresh(ended), Used(shrunk, allocation.Namespace));
                Assert.Equal(before - Fresh(allocation), Used(cluster.Releasing(uid), allocation.Namespace));
                Assert.Equal(before - Fresh(allocation), Used(shrunk.Releasing(uid), allocation.Namespace));
            }
            cluster = cluster.LiveByPod.Keys.Aggregate(cluster, (c, uid) => c.Releasing(uid));
            Assert.Empty(cluster.Used);
        },
        iter: 500);

    [Fact]
    public void What_admission_counts_is_never_more_than_a_placement_takes() => AnyContainer.Array[1, 4].Sample(
        containers =>
        {
            var ask = Asks.Pod("p") with { Containers = containers };
            var verdict = PlaceAllocationDecider.Decide(Asks.Place(ask, "n1"), ThreeNodes);
            var (least, used) = (LeastUse.Of(ask), ThreeNodes.After("n1", verdict).Used());
            Assert.True(verdict.Events.Count == 0 || (least.MemoryMiB <= used.MemoryMiB && least.Cores <= used.Cores), $"{least} {used}");
        },
        iter: 1000);

    private static void AssertWithin(ClusterLedger cluster, string @namespace)
    {
        var used = Used(cluster, @namespace);
        Assert.All(
            cluster.Quotas.GetValueOrDefault(@namespace, []),
            q => Assert.True(used.MemoryMiB <= (q.MemoryMiB ?? long.MaxValue) && used.Cores <= (q.Cores ?? long.MaxValue), $"{used} of {q}"));
    }

    private static void AssertBooks(ClusterLedger cluster)
    {
        var fresh = cluster.Nodes.Values.SelectMany(n => n.Allocations.Values).GroupBy(a => a.Namespace, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Aggregate(QuotaUse.None, (sum, a) => sum + Fresh(a)), StringComparer.Ordinal);
        foreach (var @namespace in Namespaces)
            Assert.Equal(fresh.GetValueOrDefault(@namespace, QuotaUse.None), Used(cluster, @namespace));
    }

    /// <summary>The slow way: every moment of the pod's life on every card.</summary>
    private static QuotaUse Fresh(Allocation allocation)
    {
        var moments = allocation.Shares.Where(s => s.EndsBeforeApps && !allocation.InitsEnded).Select(s => s.ContainerIndex).Distinct()
            .Select(init => allocation.Shares.Where(s => s.ContainerIndex == init || (!s.EndsBeforeApps && s.ContainerIndex < init)).ToList())
            .Append([.. allocation.Shares.Where(s => !s.EndsBeforeApps)]).ToList();
        return allocation.Shares.Select(s => s.DeviceUuid).Distinct(StringComparer.Ordinal).Aggregate(QuotaUse.None, (sum, card) => sum + new QuotaUse(
            moments.Max(m => m.Where(s => s.DeviceUuid == card).Sum(s => s.MemoryMiB)),
            moments.Max(m => m.Where(s => s.DeviceUuid == card).Sum(s => s.Cores))));
    }

    private static QuotaUse Used(ClusterLedger cluster, string @namespace) => cluster.Used.GetValueOrDefault(@namespace, QuotaUse.None);

    private static Func<ClusterLedger, ClusterLedger> Place(int pod, int ns, string node, ContainerAsk[] containers) => cluster => cluster.After(
        node, PlaceAllocationDecider.Decide(Asks.Place(Asks.Pod($"pod-{pod}") with { Namespace = Namespaces[ns], Containers = containers }, node), cluster));

    private static Func<ClusterLedger, ClusterLedger> OnLive(int pod, Func<ClusterLedger, string, ClusterLedger> step) => cluster =>
        cluster.LiveByPod.ContainsKey($"pod-{pod}") ? step(cluster, $"pod-{pod}") : cluster;

    private static ClusterLedger Shrink(ClusterLedger cluster, string uid) => cluster.Shrinking(uid);

    private static ClusterLedger Release(ClusterLedger cluster, string uid) => cluster.Releasing(uid);

    private static Func<ClusterLedger, ClusterLedger> Change(int ns, int name, int memory, int cores) => cluster =>
    {
        var quota = memory < 0 && cores < 0 ? null : new NamespaceQuota($"q{name}", memory < 0 ? null : memory * 2000, cores < 0 ? null : cores * 50);
        return ObserveQuotaDecider.Decide(new ObserveQuota(Namespaces[ns], $"q{name}", quota), cluster).Events.Aggregate(
            cluster, (c, e) => ClusterLedger.Evolve(c, Streams.Quota(Namespaces[ns]), DateTimeOffset.UnixEpoch, e));
    };
}
