using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;

namespace Hami.Domain.Replaying;

/// <summary>The decisions of one commit, made again from their events.</summary>
/// <param name="start">The state before it.</param>
internal sealed class CommitCheck(ClusterLedger start)
{
    private readonly List<Func<ClusterLedger, Finding?>> _doubts = [];
    private readonly Dictionary<string, (QuotaUse Taken, QuotaUse Returned)> _moved = new(StringComparer.Ordinal);
    private readonly HashSet<string> _quotasChanged = new(StringComparer.Ordinal);

    /// <summary>Decides a placement again; what might come from the order within the commit is judged when it is over.</summary>
    public void Placed(Recorded e, AllocationPlaced placed, ClusterLedger before)
    {
        var room = placed.Because.Quota ?? QuotaRoom.Unlimited;
        var terms = before.TermsFor(placed.Namespace) with { Quota = room };
        var node = placed.Because.Reservations.Aggregate(
            NodeUse.Of(placed.Node, before.Node(placed.Node), placed.Because.Host), (use, r) => use.With(r.Shares));
        var (again, why) = Decide(placed, node, terms);
        if (!placed.Shares.SequenceEqual(again))
        {
            // Another typical workload may have come into force in between.
            _doubts.Add(end => placed.Shares.SequenceEqual(Decide(placed, node, start.TermsFor(placed.Namespace) with { Quota = room }).Shares)
                || placed.Shares.SequenceEqual(Decide(placed, node, end.TermsFor(placed.Namespace) with { Quota = room }).Shares)
                ? null
                : Found($"pod {placed.Namespace}/{placed.Pod} was given {Words(placed.Shares)}; decided again it gets {(again.Count == 0 ? $"nothing: {why}" : Words(again))}"));
        }
        if (!room.Holds(CardUse.Sum(placed.Shares)))
            _doubts.Add(_ => Found($"pod {placed.Namespace}/{placed.Pod} was given more than the quota of its namespace had left by the event itself"));
        var known = before.RoomOf(placed.Namespace);
        if (room != known)
        {
            _doubts.Add(_ => IsBetween(placed.Namespace, room)
                ? null
                : Found($"it says that the quota of namespace {placed.Namespace} left {Words(room)}, but it left {Words(known)}"));
        }

        Finding Found(string what) => new(e.Position, e.Stream, what);
    }

    /// <summary>Remembers what an event did to the quotas.</summary>
    public void Followed(object happened, ClusterLedger before, ClusterLedger after)
    {
        if (happened is QuotaEvent.QuotaChanged changed)
            _quotasChanged.Add(changed.Namespace);
        if (ReferenceEquals(before.Used, after.Used) || NamespaceOf(happened, before) is not { } @namespace)
            return;
        var more = after.Used.GetValueOrDefault(@namespace, QuotaUse.None) - before.Used.GetValueOrDefault(@namespace, QuotaUse.None);
        var (taken, returned) = _moved.GetValueOrDefault(@namespace, (QuotaUse.None, QuotaUse.None));
        _moved[@namespace] = (
            taken + new QuotaUse(Math.Max(more.MemoryMiB, 0), Math.Max(more.Cores, 0)), returned - new QuotaUse(Math.Min(more.MemoryMiB, 0), Math.Min(more.Cores, 0)));
    }

    /// <summary>What remains wrong when the commit is over.</summary>
    public IEnumerable<Finding> Close(ClusterLedger end) => _doubts.Select(doubt => doubt(end)).OfType<Finding>();

    private static (IReadOnlyList<Share> Shares, string Why) Decide(AllocationPlaced placed, NodeUse node, Terms terms)
    {
        var shares = new List<Share>();
        var refusals = new int[CardRefusals.Count];
        return NodeFit.TryFit(placed.Because.Ask!, node, terms, shares, refusals)
            ? (shares, "")
            : ([], UnfitReasons.From(node.Cards.Length, refusals).Text);
    }

    private static string? NamespaceOf(object happened, ClusterLedger before) => happened switch
    {
        AllocationPlaced e => e.Namespace,
        AllocationAdopted e => e.Namespace,
        AllocationShrunk e => before.AllocationOf(e.PodUid)?.Namespace,
        AllocationReleased e => before.AllocationOf(e.PodUid)?.Namespace,
        _ => null,
    };

    /// <summary>Could the room have been that at some moment of the commit?</summary>
    private bool IsBetween(string @namespace, QuotaRoom room)
    {
        if (_quotasChanged.Contains(@namespace))
            return true;
        var (taken, returned) = _moved.GetValueOrDefault(@namespace, (QuotaUse.None, QuotaUse.None));
        var before = start.RoomOf(@namespace);
        return Within(room.MemoryMiB, before.MemoryMiB, taken.MemoryMiB, returned.MemoryMiB) && Within(room.Cores, before.Cores, taken.Cores, returned.Cores);

        static bool Within(long? room, long? before, long taken, long returned) =>
            room is { } now && before is { } then ? now >= then - taken && now <= then + returned : room is null && before is null;
    }

    private static string Words(IReadOnlyList<Share> shares) =>
        string.Join(", ", shares.Select(s => $"{s.MemoryMiB} MiB and {s.Cores} % of {s.DeviceUuid}{(s.Mig is { } m ? $" ({m.Profile}@{m.Start})" : "")}"));

    private static string Words(QuotaRoom room) =>
        room.IsUnlimited ? "all" : $"{room.MemoryMiB?.ToString() ?? "any"} MiB and {room.Cores?.ToString() ?? "any"} cores";
}
