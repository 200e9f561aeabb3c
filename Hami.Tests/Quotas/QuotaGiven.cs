using System.Globalization;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Quotas;
using Hami.Tests.Given;

namespace Hami.Tests.Quotas;

/// <summary>Clusters with quotas, in the words of the tests.</summary>
internal static class QuotaGiven
{
    private static readonly DateTimeOffset At = DateTimeOffset.UnixEpoch;

    /// <summary>One node <c>n1</c> with cards of these sizes in MiB.</summary>
    public static ClusterLedger Cards(params long[] memoryMiB) => Node(ClusterLedger.Empty, "n1", memoryMiB);

    public static ClusterLedger Node(ClusterLedger cluster, string name, params long[] memoryMiB) => ClusterLedger.Evolve(cluster, Streams.Node(name), At,
        new NodeEvent.DevicesRegistered(name, [.. memoryMiB.Select((m, i) => Asks.Card($"{name}-{i}", memoryMiB: m, index: i))]));

    /// <summary>The quotas of the namespace as they are from now on.</summary>
    public static ClusterLedger With(this ClusterLedger cluster, params NamespaceQuota[] quotas) =>
        cluster.After(ObserveQuotaDecider.Decide(new ObserveQuotas("default", quotas), cluster));

    public static ClusterLedger After(this ClusterLedger cluster, Verdict<QuotaEvent> verdict) =>
        verdict.Events.Aggregate(cluster, (c, e) => ClusterLedger.Evolve(c, Streams.Quota("default"), At, e));

    public static ClusterLedger After(this ClusterLedger cluster, string node, Verdict<NodeEvent> verdict) =>
        verdict.Events.Aggregate(cluster, (c, e) => ClusterLedger.Evolve(c, Streams.Node(node), At, e));

    public static ClusterLedger Placing(this ClusterLedger cluster, PodAsk ask, string node = "n1")
    {
        var verdict = PlaceAllocationDecider.Decide(Asks.Place(ask, node), cluster);
        Assert.Null(verdict.Refusal);
        return cluster.After(node, verdict);
    }

    /// <summary>The init containers of the pod have succeeded.</summary>
    public static ClusterLedger Shrinking(this ClusterLedger cluster, string uid)
    {
        var live = cluster.LiveByPod[uid];
        return cluster.After(live.Node, new NodeEvent.AllocationShrunk(live.Id, uid));
    }

    public static ClusterLedger Releasing(this ClusterLedger cluster, string uid)
    {
        var live = cluster.LiveByPod[uid];
        return cluster.After(live.Node, new NodeEvent.AllocationReleased(live.Id, uid, ReleaseReason.Completed));
    }

    public static QuotaUse Used(this ClusterLedger cluster) => cluster.Used.GetValueOrDefault("default", QuotaUse.None);

    /// <summary>A pod whose containers are <c>i:COUNTxMIB/CORES</c> for init, <c>s:</c> for sidecar, <c>a:</c> for app, blanks between.</summary>
    public static PodAsk Pod(string uid, string containers) => Asks.Pod(uid) with
    {
        Containers = [.. containers.Split(' ').Select((c, i) =>
        {
            var numbers = c[2..].Split('x', '/').Select(n => int.Parse(n, CultureInfo.InvariantCulture)).ToArray();
            return new ContainerAsk($"c{i}", c[0] == 'i', numbers[0], numbers[1], 0, numbers.ElementAtOrDefault(2));
        })],
    };

    public static ContainerShape[] Shapes(PodAsk ask) =>
        [.. ask.Containers.Select(c => Pods.Container(c.Name, c.Count, c.MemoryMiB, cores: c.Cores, isInit: c.EndsBeforeApps))];
}
