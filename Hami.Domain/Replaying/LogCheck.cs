using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;
using static Hami.Domain.Ledger.PolicyEvent;
using static Hami.Domain.Ledger.QuotaEvent;

namespace Hami.Domain.Replaying;

/// <summary>Folds the log event by event and looks whether each may follow those before it, and whether its decision is the one that would be made again.</summary>
/// <remarks>
/// Commands of one commit are decided one after another but stand in the log stream by stream; they share their time. What depends on
/// other streams, such as a namespace's quota, is therefore judged when the commit is over.
/// </remarks>
/// <param name="start">What was true before the first event that is given.</param>
public sealed class LogCheck(ClusterLedger start)
{
    private readonly List<Finding> _findings = [];
    private CommitCheck _commit = new(start);
    private Recorded? _last;

    public LogCheck() : this(ClusterLedger.Empty)
    {
    }

    /// <summary>Everything folded so far.</summary>
    public ClusterLedger Ledger { get; private set; } = start;

    /// <summary>What must not be so, in the order it was found.</summary>
    public IReadOnlyList<Finding> Findings => _findings;

    /// <summary>How many placements were decided again.</summary>
    public long Redecided { get; private set; }

    /// <summary>How many placements do not tell what was asked and could not be decided again.</summary>
    public long NotRedecided { get; private set; }

    /// <summary>Takes the next event of the log.</summary>
    public void Next(Recorded e)
    {
        if (_last is { } last)
        {
            if (e.Position <= last.Position)
                Found(e, $"it stands after event {last.Position}, yet its position is not larger");
            if (e.At < last.At)
                Found(e, $"its time {e.At:O} is before that of the event before it, {last.At:O}");
            if (e.At != last.At)
                EndCommit();
        }
        _last = e;
        if (StreamFor(e.Event, e.Stream) is { } expected && expected != e.Stream)
            Found(e, $"it belongs into the stream {expected}");
        if (e.Event is NodeEvent and not NodeCarriedForward && Ledger.Current(e.Stream) is var current && current != e.Stream)
            Found(e, $"its stream was closed, {current} is the one after it");

        var (before, fault) = (Ledger, (string?)null);
        try
        {
            fault = LogOrder.Fault(e, before);
            Take(e, before);
        }
        catch (Exception broken)
        {
            // Whoever changes a row may put anything into it. It is left out, so that those after it are still looked at.
            fault ??= $"it cannot be replayed: {broken.Message}";
            Ledger = before with { Position = e.Position, EventCount = before.EventCount + 1 };
        }
        if (fault is not null)
            Found(e, fault);
    }

    /// <summary>The log ends here.</summary>
    public void End() => EndCommit();

    private void Take(Recorded e, ClusterLedger before)
    {
        if (e.Event is AllocationPlaced placed)
            Redecide(e, placed, before);
        Ledger = Replay.Next(before, e);
        _commit.Followed(e.Event, before, Ledger);
        if (e.Event is AllocationPlaced given)
            _findings.AddRange(Overcommitted(given).Select(what => new Finding(e.Position, e.Stream, what)));
    }

    private void EndCommit()
    {
        _findings.AddRange(_commit.Close(Ledger));
        _commit = new(Ledger);
    }

    private void Found(Recorded e, string what) => _findings.Add(new(e.Position, e.Stream, what));

    private static string? StreamFor(object happened, string stream) => happened switch
    {
        DevicesRegistered e => OfNode(e.Node, stream),
        NodeRemoved e => OfNode(e.Node, stream),
        NodeCarriedForward e => Streams.Node(e.Node, e.Epoch),
        AllocationPlaced e => OfNode(e.Node, stream),
        AllocationAdopted e => OfNode(e.Node, stream),
        NodeEvent => Streams.NodeOf(stream) is null ? "of its node" : stream,
        PlacementRefused e => Streams.Pod(e.PodUid),
        WorkloadWithdrawn e => Streams.Pod(e.PodUid),
        PreemptionPlanned e => Streams.Pod(e.PodUid),
        QuotaChanged e => Streams.Quota(e.Namespace),
        PolicyChanged or WorkloadMixLearned => Streams.Policy,
        _ => null,
    };

    // Of whatever epoch.
    private static string OfNode(string node, string stream) => Streams.NodeOf(stream) == node ? stream : Streams.Node(node);

    private void Redecide(Recorded e, AllocationPlaced placed, ClusterLedger before)
    {
        var because = placed.Because;
        if (because.LogPosition >= e.Position)
            Found(e, $"it says it was decided on the log up to event {because.LogPosition}, which comes later");
        if (because.Ask is null)
        {
            NotRedecided++;
            return;
        }
        Redecided++;
        _commit.Placed(e, placed, before);
    }

    /// <summary>Cards that hold more than they have once the pod is on them; adopted pods hold what they hold.</summary>
    private List<string> Overcommitted(AllocationPlaced placed)
    {
        var ledger = Ledger.Node(placed.Node);
        var use = NodeUse.Of(placed.Node, ledger);
        var adopted = ledger.Allocations.Values.Where(a => a.IsAdopted).SelectMany(a => a.Held).Select(s => s.DeviceUuid).ToHashSet(StringComparer.Ordinal);
        var found = new List<string>();
        foreach (var uuid in placed.Shares.Select(s => s.DeviceUuid).Distinct(StringComparer.Ordinal))
        {
            var at = ledger.Cards.Select(c => c.Uuid).ToList().IndexOf(uuid);
            if (at < 0)
                found.Add($"it gives away card {uuid}, which node {placed.Node} does not have");
            else if (!adopted.Contains(uuid) && LogOrder.Exceeded(use.Cards[at], use.Uses[at]) is { } what)
                found.Add($"with it card {uuid} of node {placed.Node} {what}");
        }
        return found;
    }
}
