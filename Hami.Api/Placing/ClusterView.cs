using System.Collections.Concurrent;
using Hami.Api.Measuring;
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
/// The cards of the cluster as placement sees them: what the log says plus what is reserved. A node's state is immutable and
/// swapped as a whole, so a reader takes no lock.
/// </summary>
internal sealed class ClusterView(TimeProvider time) : ILogFollower
{
    private readonly ConcurrentDictionary<string, KnownNode> _nodes = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Reservation> _reservations = new(StringComparer.Ordinal);
    private readonly HashSet<string> _leaving = new(StringComparer.Ordinal);
    private volatile KnownNode[] _offeredBefore = [];
    private long _largestCardMiB;

    /// <summary>The nodes of an earlier offer, in its order: kube-scheduler names them in one order, a little turned from call to call.</summary>
    public KnownNode[] OfferedBefore
    {
        get => _offeredBefore;
        set => _offeredBefore = value;
    }

    /// <summary>The node with everything taken or reserved; null when it has registered no cards.</summary>
    public NodeUse? Node(string name) => _nodes.TryGetValue(name, out var node) ? Use(node) : null;

    /// <summary>A node that has registered cards at some time; null for others.</summary>
    public KnownNode? Known(ReadOnlySpan<char> name) =>
        _nodes.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var node) ? node : null;

    /// <inheritdoc cref="Node(string)"/>
    public NodeUse? Use(KnownNode node)
    {
        var slot = node.Slot;
        // Most nodes have no reservation, and a look at the clock for each of thousands would be felt.
        if (slot.Reservations.Count > 0 && slot.NextExpiry <= time.GetUtcNow())
            slot = Expire(node, slot);
        return slot.Use.Cards.Length == 0 ? null : slot.Use;
    }

    /// <summary>Names of the nodes that have registered cards.</summary>
    public IEnumerable<string> NodeNames => _nodes.Keys;

    /// <summary>Device memory in MiB of the largest card that any node ever had.</summary>
    public long LargestCardMiB => Volatile.Read(ref _largestCardMiB);

    public Reservation? ReservationOf(string podUid) =>
        _reservations.TryGetValue(podUid, out var reservation) && reservation.Expires > time.GetUtcNow() ? reservation : null;

    /// <summary>How many pods have shares set aside; those whose time is over count until their node is looked at again.</summary>
    public int Reservations => _reservations.Count;

    /// <summary>What other pods have reserved on a node, in an order that does not change.</summary>
    public IReadOnlyList<ReservedShares> ReservedByOthers(string node, string podUid)
    {
        var now = time.GetUtcNow();
        return !_nodes.TryGetValue(node, out var known) ? [] : [.. known.Slot.Reservations
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

    /// <summary>The ledger's terms for a namespace, less what its other pods have reserved.</summary>
    public Terms TermsFor(ClusterLedger ledger, string @namespace, string exceptPodUid)
    {
        var terms = ledger.TermsFor(@namespace);
        return terms.Quota.IsUnlimited ? terms : terms with { Quota = terms.Quota - ReservedIn(@namespace, exceptPodUid) };
    }

    /// <summary>Sets shares aside if the node still is what the decision saw.</summary>
    /// <param name="seen">The node the decision was made on.</param>
    /// <returns>False when somebody was faster; decide again.</returns>
    public bool TryReserve(NodeUse seen, Reservation reservation)
    {
        if (!_nodes.TryGetValue(seen.Name, out var node) || node.Slot is var slot && !ReferenceEquals(slot.Use, seen)
            || !node.TrySwap(slot.With(reservation), slot))
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

    /// <summary>Told when reserved shares are free again, without an event.</summary>
    public event Action? OnGivenBack;

    /// <summary>Gives back what a pod had reserved.</summary>
    /// <returns>False when it had nothing reserved.</returns>
    public bool DropReservation(string podUid)
    {
        if (Drop(podUid) is null)
            return false;
        OnGivenBack?.Invoke();
        return true;
    }

    /// <summary>Gives back the reservations whose time is over on nodes that nobody has looked at since.</summary>
    public void ExpireDue()
    {
        var now = time.GetUtcNow();
        foreach (var name in _reservations.Values.Where(r => r.Expires <= now).Select(r => r.Node).Distinct(StringComparer.Ordinal))
        {
            if (_nodes.TryGetValue(name, out var node))
                Expire(node, node.Slot);
        }
    }

    /// <summary>What the node's own CPU and memory have free, for the policy <c>fragmentation</c>.</summary>
    public void SetHost(string node, HostRoom? host)
    {
        if (_nodes.TryGetValue(node, out var known) && known.Slot.Use.Host != host)
            known.Change(slot => slot.With(host));
    }

    /// <inheritdoc />
    public void Began(ClusterLedger from)
    {
        foreach (var name in _nodes.Keys.Where(n => !from.Nodes.ContainsKey(n)))
        {
            if (_nodes.TryRemove(name, out var gone))
                gone.IsForgotten = true;
        }
        foreach (var (name, node) in from.Nodes)
        {
            var taken = NodeUse.Of(name, node);
            _nodes.GetOrAdd(name, static (n, use) => new(n, new(use, [])), taken).Change(slot => new(taken.With(slot.Use.Host), []));
            if (node.Cards.Count > 0)
                Volatile.Write(ref _largestCardMiB, Math.Max(LargestCardMiB, node.Cards.Max(c => c.MemoryMiB)));
        }
        _reservations.Clear();
        _leaving.Clear();
    }

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        var isGivenBack = false;
        var holders = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (podUid, node) in recorded.Select(r => Holder(r.Event)).OfType<(string, string)>())
        {
            holders.Add(podUid);
            // On its node the shares go over from reserved to taken in one step, so that nobody sees them free in between.
            if (!_reservations.TryRemove(podUid, out var reserved) || reserved.Node == node)
                continue;
            Change(reserved.Node, slot => slot.Without(r => r.Ask.Uid == podUid));
            isGivenBack = true;
        }
        foreach (var cards in recorded.Select(r => r.Event).OfType<NodeEvent.DevicesRegistered>().Where(e => e.Cards.Count > 0))
            Volatile.Write(ref _largestCardMiB, Math.Max(LargestCardMiB, cards.Cards.Max(c => c.MemoryMiB)));
        foreach (var name in recorded.Select(r => Streams.NodeOf(r.Stream)).OfType<string>().Distinct(StringComparer.Ordinal))
        {
            var taken = NodeUse.Of(name, after.Node(name));
            _nodes.GetOrAdd(name, static (n, use) => new(n, new(use, [])), taken).Change(slot => slot.Taking(taken, holders));
            if (after.Node(name).IsEmpty)
                _leaving.Add(name);
        }
        Forget(after);
        if (isGivenBack)
            OnGivenBack?.Invoke();
    }

    private static (string PodUid, string Node)? Holder(object happened) => happened switch
    {
        NodeEvent.AllocationPlaced e => (e.PodUid, e.Node),
        NodeEvent.AllocationAdopted e => (e.PodUid, e.Node),
        _ => null,
    };

    // In the journal's loop alone, where nodes come too. Once a node has no cards nothing more is reserved on it.
    private void Forget(ClusterLedger after)
    {
        foreach (var name in _leaving)
        {
            if (_nodes.TryGetValue(name, out var node) && after.Node(name).IsEmpty && node.Slot.Reservations.Count == 0)
            {
                node.IsForgotten = true;
                _nodes.TryRemove(name, out _);
            }
        }
        _leaving.RemoveWhere(name => !after.Node(name).IsEmpty || !_nodes.ContainsKey(name));
    }

    private void Change(string node, Func<Slot, Slot> change)
    {
        if (_nodes.TryGetValue(node, out var known))
            known.Change(change);
    }

    private Reservation? Drop(string podUid)
    {
        if (_reservations.TryRemove(podUid, out var reservation))
            Change(reservation.Node, slot => slot.Without(r => r.Ask.Uid == podUid));
        return reservation;
    }

    private Slot Expire(KnownNode node, Slot slot)
    {
        var now = time.GetUtcNow();
        foreach (var expired in slot.Reservations.Where(r => r.Expires <= now))
        {
            if (_reservations.TryRemove(KeyValuePair.Create(expired.Ask.Uid, expired)))
                Meters.ReservationExpired();
        }
        var after = node.Change(s => s.Without(r => r.Expires <= now));
        OnGivenBack?.Invoke();
        return after;
    }
}
