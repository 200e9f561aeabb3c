using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;

namespace Hami.Domain.Reading;

/// <summary>The rows that can still change: those of nodes and cards that are there, of allocations that are live and of pods that wait.</summary>
public sealed record OpenRows(
    IReadOnlyList<NodeRow> Nodes, IReadOnlyList<DeviceRow> Devices, IReadOnlyList<AllocationRow> Allocations, IReadOnlyList<HoldingRow> Holdings,
    IReadOnlyList<RefusalRow> Refusals)
{
    public static readonly OpenRows None = new([], [], [], [], []);
}

/// <summary>Folds the log, event by event in its order, into the rows of all read models at once.</summary>
/// <remarks>
/// It holds only what can still change, and so can be taken up anywhere in the log from the open rows. Which rows come out does not depend on
/// where it was: a stretch of use ends with an event of its card and at midnight, never with a page of the log.
/// </remarks>
public sealed class ReadModels
{
    private readonly Dictionary<string, NodeRow> _nodes;
    private readonly Dictionary<string, Dictionary<string, CardAccount>> _cards = new(StringComparer.Ordinal);
    private readonly Dictionary<Guid, AllocationRow> _live;
    private readonly Dictionary<string, RefusalRow> _waiting;
    private ReadChanges _changes = new();

    public ReadModels(OpenRows open)
    {
        _nodes = open.Nodes.ToDictionary(n => n.Name, StringComparer.Ordinal);
        _live = open.Allocations.ToDictionary(a => a.Id);
        _waiting = open.Refusals.ToDictionary(r => r.PodUid, StringComparer.Ordinal);
        var holders = open.Holdings.OrderBy(h => h.Position).ToLookup(h => (h.Node, h.DeviceUuid));
        foreach (var device in open.Devices)
            CardsOf(device.Node)[device.Uuid] = new(device, [.. holders[(device.Node, device.Uuid)]]);
    }

    /// <summary>The rows that can still change, as they are now.</summary>
    public OpenRows Open => new(
        [.. _nodes.Values], [.. Accounts.Select(c => c.Row)], [.. _live.Values], [.. Accounts.SelectMany(c => c.Holders)], [.. _waiting.Values]);

    private IEnumerable<CardAccount> Accounts => _cards.Values.SelectMany(cards => cards.Values);

    /// <summary>What changed since this was last asked.</summary>
    public ReadChanges TakeChanges()
    {
        var changes = _changes;
        _changes = new();
        return changes;
    }

    /// <summary>Folds one more event.</summary>
    /// <param name="position">Its sequence in the log.</param>
    /// <param name="stream">Name of the event's stream, see <see cref="Streams"/>.</param>
    public void Apply(long position, DateTimeOffset at, string stream, object happened)
    {
        switch (happened)
        {
            case DevicesRegistered e:
                Register(e, at, position);
                break;
            case NodeRemoved e:
                Remove(e, at);
                break;
            case DeviceCordoned e:
                Change(NodeOf(stream), e.DeviceUuid, at, card => card with { Row = card.Row with { CordonedAt = at } });
                break;
            case DeviceUncordoned e:
                Change(NodeOf(stream), e.DeviceUuid, at, card => card with { Row = card.Row with { CordonedAt = null } });
                break;
            case AllocationPlaced e:
                Hold(Row(e.AllocationId, e.PodUid, e.Namespace, e.Pod, e.Node, e.Containers, e.Shares, e.Because.Ask?.Owner, at, position), at);
                break;
            case AllocationAdopted e:
                Hold(
                    Row(e.AllocationId, e.PodUid, e.Namespace, e.Pod, e.Node, e.Containers, e.Shares, e.Owner, at, position) with
                    {
                        AdoptedFrom = e.Source,
                        BoundAt = at,
                        AttachedAt = e.IsAttached ? at : null,
                    },
                    at);
                break;
            case AllocationBound e:
                Put(_live[e.AllocationId] with { BoundAt = at });
                break;
            case AllocationAttached e:
                Put(_live[e.AllocationId] with { AttachedAt = at });
                break;
            case AllocationShrunk e:
                Shrink(_live[e.AllocationId], at);
                break;
            case AllocationReleased e:
                Release(_live[e.AllocationId], e.Reason, at);
                break;
            case PlacementRefused e:
                Refuse(e, at, position);
                break;
            case WorkloadWithdrawn e:
                EndWaiting(e.PodUid, WaitingEnd.Withdrawn, at);
                break;
            case NodeCarriedForward or PreemptionPlanned or QuotaEvent or PolicyEvent:
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(happened), happened, "The read models do not know the event.");
        }
    }

    private static string NodeOf(string stream) =>
        Streams.NodeOf(stream) ?? throw new ArgumentException($"{stream} is no stream of a node.", nameof(stream));

    private static AllocationRow Row(
        Guid id, string podUid, string @namespace, string pod, string node, int containers, IReadOnlyList<Share> shares, WorkloadOwner? owner,
        DateTimeOffset at, long position)
    {
        var use = CardUse.Sum(shares);
        return new(id, podUid, @namespace, pod, owner?.Kind, owner?.Name, node, containers, use.MemoryMiB, use.Cores, shares, at, position);
    }

    private Dictionary<string, CardAccount> CardsOf(string node) =>
        _cards.TryGetValue(node, out var cards) ? cards : _cards[node] = new(StringComparer.Ordinal);

    private void Register(DevicesRegistered e, DateTimeOffset at, long position)
    {
        var node = _nodes.TryGetValue(e.Node, out var known)
            ? known with { Devices = e.Cards.Count, ChangedAt = at }
            : new NodeRow(e.Node, e.Cards.Count, at, at);
        _nodes[e.Node] = node;
        _changes.Put(node);

        var published = e.Cards.Select(c => c.Uuid).ToHashSet(StringComparer.Ordinal);
        foreach (var card in e.Cards)
            Change(e.Node, card.Uuid, at, account => account.Registered(card, at, position));
        foreach (var gone in CardsOf(e.Node).Values.Where(c => c.Row.IsRegistered && !published.Contains(c.Row.Uuid)).ToList())
            Change(e.Node, gone.Row.Uuid, at, account => account.Unregistered(at));
    }

    private void Remove(NodeRemoved e, DateTimeOffset at)
    {
        if (_nodes.Remove(e.Node, out var node))
            _changes.Put(node with { RemovedAt = at, RemovedBecause = e.Reason });
        foreach (var card in CardsOf(e.Node).Values.ToList())
            Change(e.Node, card.Row.Uuid, at, account => account.Unregistered(at).Uncordoned());
    }

    private void Hold(AllocationRow row, DateTimeOffset at)
    {
        var waiting = EndWaiting(row.PodUid, WaitingEnd.Placed, at);
        Put(row with { WaitingSince = waiting?.WaitingSince });
        var counted = HoldingRow.CountedOn(row.Shares);
        foreach (var device in Devices(row.Shares))
        {
            var holding = Holding(row, device, 0, CardUse.Of(row.Shares, device), device == counted ? 1 : 0, at);
            Change(row.Node, device, at, account => account.With(null, holding));
        }
    }

    private void Shrink(AllocationRow row, DateTimeOffset at)
    {
        Put(row with { ShrunkAt = at });
        List<Share> left = [.. row.Shares.Where(s => !s.EndsBeforeApps)];
        foreach (var device in Devices(row.Shares))
        {
            var use = CardUse.Of(left, device);
            if (HolderOf(row, device) is not { } held || (held.MemoryMiB, held.Cores, held.Slots) == (use.MemoryMiB, use.Cores, use.Slots))
                continue;
            _changes.Put(held with { HeldUntil = at });
            var next = use.Slots > 0 ? Holding(row, device, held.Part + 1, use, held.Pods, at) : null;
            Change(row.Node, device, at, account => account.With(held, next));
        }
    }

    private void Release(AllocationRow row, ReleaseReason reason, DateTimeOffset at)
    {
        _changes.Put(row with { ReleasedAt = at, ReleaseReason = reason });
        _live.Remove(row.Id);
        foreach (var device in Devices(row.Shares))
        {
            if (HolderOf(row, device) is not { } held)
                continue;
            _changes.Put(held with { HeldUntil = at });
            Change(row.Node, device, at, account => account.With(held, null));
        }
    }

    private static IEnumerable<string> Devices(IReadOnlyList<Share> shares) => shares.Select(s => s.DeviceUuid).Distinct(StringComparer.Ordinal);

    private HoldingRow? HolderOf(AllocationRow row, string device) =>
        CardsOf(row.Node).TryGetValue(device, out var card) ? card.Holders.FirstOrDefault(h => h.AllocationId == row.Id) : null;

    private HoldingRow Holding(AllocationRow row, string device, int part, CardUse use, int pods, DateTimeOffset at)
    {
        var holding = new HoldingRow(
            row.Id, device, part, row.Node, row.Namespace, row.OwnerKind, row.OwnerName, row.PlacedPosition, use.MemoryMiB, use.Cores, use.Slots, at) { Pods = pods };
        _changes.Put(holding);
        return holding;
    }

    private void Refuse(PlacementRefused e, DateTimeOffset at, long position)
    {
        var before = EndWaiting(e.PodUid, WaitingEnd.RefusedAgain, at);
        var row = new RefusalRow(position, e.PodUid, e.Namespace, e.Pod, before?.WaitingSince ?? at, at, e.Message, e.Reasons, e.LogPosition);
        _waiting[e.PodUid] = row;
        _changes.Put(row);
    }

    private RefusalRow? EndWaiting(string podUid, WaitingEnd ending, DateTimeOffset at)
    {
        if (_waiting.Remove(podUid, out var row))
            _changes.Put(row with { EndedAt = at, Ending = ending });
        return row;
    }

    private void Put(AllocationRow row)
    {
        _live[row.Id] = row;
        _changes.Put(row);
    }

    /// <summary>Accounts for the card as it was until now, then changes it.</summary>
    private void Change(string node, string uuid, DateTimeOffset at, Func<CardAccount, CardAccount> change)
    {
        var cards = CardsOf(node);
        if (!cards.TryGetValue(uuid, out var before))
            before = new(new(node, uuid, at), []);
        _changes.Usage.Add(before.Row, before.Holders, at);
        var after = change(before);
        after = after with { Row = after.Row with { AccountedTo = at > before.Row.AccountedTo ? at : before.Row.AccountedTo } };
        _changes.Put(after.Row);
        var (sizeBefore, size) = (CardSizeRow.Of(before.Row), CardSizeRow.Of(after.Row));
        if (sizeBefore is not null && sizeBefore != size)
            _changes.Put(sizeBefore with { SizedUntil = at });
        if (size is not null && size != sizeBefore)
            _changes.Put(size);
        // Names of nodes and cards come and go for ever; what left with the last of its pods is not remembered.
        if (after.IsForgotten)
            cards.Remove(uuid);
        else
            cards[uuid] = after;
        if (cards.Count == 0)
            _cards.Remove(node);
    }
}
