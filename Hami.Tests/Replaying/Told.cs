using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;

namespace Hami.Tests.Replaying;

/// <summary>A log told in memory, an event a minute, in the words of the tests.</summary>
internal sealed class Told
{
    public static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly List<Recorded> _log = [];
    private int _allocations;

    public IReadOnlyList<Recorded> Log => _log;

    public ClusterLedger Cluster { get; private set; } = ClusterLedger.Empty;

    public static DateTimeOffset Minute(int minute) => Noon.AddMinutes(minute);

    public Told Node(string node, params Card[] cards) => Happened(Streams.Node(node), new NodeEvent.DevicesRegistered(node, cards));

    public Told Quota(long memoryMiB) => Happened(Streams.Quota("default"), new QuotaEvent.QuotaChanged("default", [new("team", memoryMiB, null)]));

    /// <summary>Places a pod where the product would, or says why not.</summary>
    public Told Asks(PodAsk ask)
    {
        List<NodeUse> nodes = [.. Cluster.Nodes.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => NodeUse.Of(n.Key, n.Value))];
        var terms = Cluster.TermsFor(ask.Namespace);
        var choice = NodeChoice.Among(ask, nodes, terms);
        if (choice.Best is not { } best)
        {
            foreach (var refused in RefusePlacementDecider.Decide(new(ask, RefusedNodes.Of(ask, nodes, terms), 0, Cluster.Position), Cluster).Events)
                Happened(Streams.Pod(ask.Uid), refused);
            return this;
        }
        var place = new PlaceAllocation(new(++_allocations, 0, 0, new byte[8]), ask, best.Node.Name, choice.Fitting, choice.RunnersUp, []);
        return Happened(Streams.Node(best.Node.Name), PlaceAllocationDecider.Decide(place, Cluster).Events.Single());
    }

    public Told Bound(string pod) => OfHeld(pod, id => new NodeEvent.AllocationBound(id));

    public Told Attached(string pod) => OfHeld(pod, id => new NodeEvent.AllocationAttached(id));

    public Told Shrunk(string pod) => OfHeld(pod, id => new NodeEvent.AllocationShrunk(id, pod));

    public Told Ends(string pod) => OfHeld(pod, id => new NodeEvent.AllocationReleased(id, pod, ReleaseReason.Completed));

    public Told Happened(string stream, object happened)
    {
        var e = new Recorded(_log.Count + 1, Minute(_log.Count), stream, happened);
        _log.Add(e);
        Cluster = Replay.Next(Cluster, e);
        return this;
    }

    private Told OfHeld(string pod, Func<Guid, NodeEvent> happened) => Happened(Streams.Node(Cluster.LiveByPod[pod].Node), happened(Cluster.LiveByPod[pod].Id));
}
