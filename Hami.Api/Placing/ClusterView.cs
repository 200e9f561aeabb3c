using System.Collections.Concurrent;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>Shares set aside for a pod between its filter and its bind; never an event.</summary>
/// <param name="ResourceVersion">The pod's, as kube-scheduler sent it with the filter.</param>
/// <param name="Candidates">How many nodes the choice was among.</param>
/// <param name="RunnersUp">The next best of them.</param>
internal sealed record Reservation(
    PodAsk Ask, string ResourceVersion, string Node, IReadOnlyList<Share> Shares, int Candidates, IReadOnlyList<ScoredNode> RunnersUp,
    DateTimeOffset Expires);

/// <summary>
/// The cards of the cluster as placement sees them: what the log says plus what is reserved. A node is immutable and swapped
/// as a whole, so a reader takes no lock.
/// </summary>
internal sealed class ClusterView(TimeProvider time) : ILogFollower
{
    private readonly ConcurrentDictionary<string, Slot> _nodes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Reservation> _reservations = new(StringComparer.Ordinal);

    /// <summary>The node with everything taken or reserved; null when it has registered no cards.</summary>
    public NodeUse? Node(string name) => _nodes.TryGetValue(name, out var slot) ? Use(slot) : null;

    /// <inheritdoc cref="Node(string)"/>
    public NodeUse? Node(ReadOnlySpan<char> name) =>
        _nodes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var slot) ? Use(slot) : null;

    /// <summary>Names of the nodes that have registered cards.</summary>
    public IEnumerable<string> NodeNames => _nodes.Keys;

    public Reservation? ReservationOf(string podUid) =>
        _reservations.TryGetValue(podUid, out var reservation) && reservation.Expires > time.GetUtcNow() ? reservation : null;

    /// <summary>What other pods have reserved on a node, in an order that does not change.</summary>
    public IReadOnlyList<ReservedShares> ReservedByOthers(string node, string podUid)
    {
        var now = time.GetUtcNow();
        return !_nodes.TryGetValue(node, out var slot) ? [] : [.. slot.Reservations
            .Where(r => r.Ask.Uid != podUid && r.Expires > now)
            .OrderBy(r => r.Ask.Uid, StringComparer.Ordinal)
            .Select(r => new ReservedShares(r.Ask.Uid, r.Shares))];
    }

    /// <summary>What other pods of a namespace have reserved on all nodes.</summary>
    public QuotaUse ReservedIn(string @namespace, string exceptPodUid)
    {
        var now = time.GetUtcNow();
        return _reservations.Values.Where(r => r.Ask.Namespace == @namespace && r.Ask.Uid != exceptPodUid && r.Expires > now)
            .Aggregate(QuotaUse.None, (sum, r) => sum + CardUse.Sum(r.Shares));
    }

    /// <summary>Sets shares aside if the node still is what the decision saw.</summary>
    /// <param name="seen">The node the decision was made on.</param>
    /// <returns>False when somebody was faster; decide again.</returns>
    public bool TryReserve(NodeUse seen, Reservation reservation)
    {
        if (!_nodes.TryGetValue(seen.Name, out var slot) || !ReferenceEquals(slot.Use, seen)
            || !_nodes.TryUpdate(seen.Name, slot.With(reservation), slot))
        {
            return false;
        }
        // Two filters of one pod at once may choose two nodes; only the later choice stands.
        Reservation? earlier = null;
        _reservations.AddOrUpdate(reservation.Ask.Uid, reservation, (_, before) =>
        {
            earlier = before;
            return reservation;
        });
        if (earlier is not null && earlier.Node != reservation.Node)
            Change(earlier.Node, s => s.Without(r => ReferenceEquals(r, earlier)));
        return true;
    }

    /// <summary>Gives back what a pod had reserved.</summary>
    public void DropReservation(string podUid)
    {
        if (_reservations.TryRemove(podUid, out var reservation))
            Change(reservation.Node, slot => slot.Without(r => r.Ask.Uid == podUid));
    }

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        foreach (var placed in recorded.Select(r => r.Event).OfType<NodeEvent.AllocationPlaced>())
            DropReservation(placed.PodUid);
        foreach (var node in recorded.Select(r => Streams.NodeOf(r.Stream)).OfType<string>().Distinct(StringComparer.Ordinal))
        {
            var taken = NodeUse.Of(node, after.Node(node));
            _nodes.TryAdd(node, new Slot(taken, []));
            Change(node, slot => new Slot(taken.With(slot.Use.Host), slot.Reservations));
        }
    }

    private NodeUse? Use(Slot slot)
    {
        // Most nodes have no reservation, and a look at the clock for each of thousands would be felt.
        if (slot.Reservations.Count > 0 && slot.NextExpiry <= time.GetUtcNow())
            slot = Expire(slot.Use.Name, slot);
        return slot.Use.Cards.Length == 0 ? null : slot.Use;
    }

    private Slot Expire(string node, Slot slot)
    {
        var now = time.GetUtcNow();
        foreach (var expired in slot.Reservations.Where(r => r.Expires <= now))
            _reservations.TryRemove(KeyValuePair.Create(expired.Ask.Uid, expired));
        return Change(node, s => s.Without(r => r.Expires <= now));
    }

    private Slot Change(string node, Func<Slot, Slot> change)
    {
        while (true)
        {
            var before = _nodes[node];
            var after = change(before);
            if (_nodes.TryUpdate(node, after, before))
                return after;
        }
    }

    private sealed class Slot(NodeUse taken, IReadOnlyList<Reservation> reservations)
    {
        public IReadOnlyList<Reservation> Reservations { get; } = reservations;

        /// <summary>Taken and reserved together.</summary>
        public NodeUse Use { get; } = reservations.Aggregate(taken, (use, r) => use.With(r.Shares));

        public DateTimeOffset NextExpiry { get; } = reservations.Count == 0 ? DateTimeOffset.MaxValue : reservations.Min(r => r.Expires);

        public Slot With(Reservation reservation) => new(taken, [.. Reservations.Where(r => r.Ask.Uid != reservation.Ask.Uid), reservation]);

        public Slot Without(Func<Reservation, bool> dropped) => new(taken, [.. Reservations.Where(r => !dropped(r))]);
    }
}
