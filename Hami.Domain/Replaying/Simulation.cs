using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Releasing;

namespace Hami.Domain.Replaying;

/// <summary>A script played again with the domain's own deciders.</summary>
/// <param name="rules">What each pod asks under the rules to be tried.</param>
internal sealed class Simulation(ClusterLedger start, Script script, Func<PodAsk, PodAsk> rules)
{
    private readonly PriorityQueue<Action, (DateTimeOffset At, long Turn)> _due = new();
    private readonly List<Arrival> _waiting = [];
    private readonly List<double> _waits = [];
    private readonly Dictionary<string, (NodeLedger Ledger, NodeUse Use)> _uses = new(StringComparer.Ordinal);
    private ClusterLedger _cluster = start with { Waiting = start.Waiting.Clear() };
    private DateTimeOffset _now;
    private long _turn;
    private int _refused;
    private int _placed;

    public PolicyOutcome Run(string name, DateTimeOffset from, DateTimeOffset to)
    {
        var meter = new UseMeter(from);
        foreach (var e in script.Given)
            At(e.At, () => Take(e));
        foreach (var arrival in script.Arrivals)
            At(arrival.At, () => Arrive(arrival));
        while (_due.TryDequeue(out var action, out var key) && key.At <= to)
        {
            meter.Until(key.At, _cluster);
            _now = key.At;
            action();
        }
        meter.Until(to, _cluster);
        return meter.Outcome(name, script.Arrivals.Count, _refused, _waits);
    }

    private void At(DateTimeOffset at, Action action) => _due.Enqueue(action, (at, _turn++));

    /// <summary>An event that no placement decides; one of a pod that came to hold nothing here has no meaning.</summary>
    private void Take(Recorded e)
    {
        if (LogOrder.Fault(e, _cluster) is not null)
            return;
        Evolve(e.Stream, e.Event);
        Retry();
    }

    private void Arrive(Arrival arrival)
    {
        if (TryPlace(arrival))
            return;
        _refused++;
        _waiting.Add(arrival);
        if (arrival.LeavesAt is { } leaves)
            At(leaves, () => _waiting.Remove(arrival));
    }

    private void Retry() => _waiting.RemoveAll(TryPlace);

    private bool TryPlace(Arrival arrival)
    {
        var ask = rules(arrival.Ask);
        var choice = NodeChoice.Among(ask, Nodes(), _cluster.TermsFor(ask.Namespace));
        if (choice.Best is not { } best)
            return false;
        var id = new Guid(++_placed, 0, 0, new byte[8]);
        var stream = Streams.Node(best.Node.Name);
        var verdict = PlaceAllocationDecider.Decide(new(id, ask, best.Node.Name, choice.Fitting, choice.RunnersUp, []), _cluster);
        if (verdict.Events.Count == 0)
            return false;
        foreach (var happened in verdict.Events)
            Evolve(stream, happened);
        _waits.Add((_now - arrival.At).TotalSeconds);
        if (arrival.Shrinks is { } shrinks)
            At(_now + shrinks, () => Give(stream, ShrinkAllocationDecider.Decide(new(ask.Uid, id), _cluster)));
        if (arrival.Holds is { } holds)
            At(_now + holds, () => Give(stream, ReleaseAllocationDecider.Decide(new(ask.Uid, id, ReleaseReason.Completed), _cluster)));
        return true;
    }

    private void Give(string stream, Verdict<NodeEvent> verdict)
    {
        foreach (var happened in verdict.Events)
            Evolve(stream, happened);
        Retry();
    }

    private void Evolve(string stream, object happened) => _cluster = ClusterLedger.Evolve(_cluster, stream, _now, happened);

    private List<NodeUse> Nodes()
    {
        var nodes = new List<NodeUse>();
        foreach (var (name, ledger) in _cluster.Nodes)
        {
            if (ledger.Cards.Count == 0)
                continue;
            if (!_uses.TryGetValue(name, out var known) || !ReferenceEquals(known.Ledger, ledger))
                _uses[name] = known = (ledger, NodeUse.Of(name, ledger));
            nodes.Add(known.Use);
        }
        return nodes;
    }
}
