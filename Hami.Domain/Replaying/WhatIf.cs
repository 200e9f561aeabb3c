using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;

namespace Hami.Domain.Replaying;

/// <summary>How the pods of a time fared.</summary>
/// <param name="Rules">Which policy, or "as it was".</param>
/// <param name="Arrivals">Pods that asked for cards.</param>
/// <param name="Refused">Pods that found no node when they came.</param>
/// <param name="NeverPlaced">Pods that still had none at the end, or went away without.</param>
/// <param name="MeanWaitSeconds">From the first ask to the placement, over the pods placed.</param>
/// <param name="AllocatedMemoryPercent">Of the device memory of all cards, over the time.</param>
/// <param name="AllocatedCoresPercent">Of the compute of all cards, over the time.</param>
public sealed record PolicyOutcome(
    string Rules, int Arrivals, int Refused, int NeverPlaced, double MeanWaitSeconds, double LongestWaitSeconds, double AllocatedMemoryPercent,
    double AllocatedCoresPercent);

/// <summary>What happened, what this simulation makes of the same rules, and what another policy would have made of it.</summary>
/// <param name="Approximates">What is left out, in one sentence.</param>
public sealed record WhatIfReport(
    DateTimeOffset From, DateTimeOffset To, PolicyOutcome Recorded, PolicyOutcome SameRules, PolicyOutcome OtherPolicy, string Approximates);

/// <summary>Runs recorded arrivals again under another policy.</summary>
public static class WhatIf
{
    private const string Approximates =
        "An approximation: every pod may go to every node with cards, kube-scheduler's own filters, preferences and preemptions and cards set aside between filter and bind are left out, "
        + "a pod holds its cards as long as it really did, one that waits is tried whenever something is given back, and a pod's own choice of mutex or topology-aware stays.";

    /// <param name="start">The state at <paramref name="from"/>.</param>
    /// <param name="log">What happened after it, up to <paramref name="to"/>.</param>
    public static WhatIfReport Of(ClusterLedger start, IReadOnlyList<Recorded> log, PlacementPolicy policy, DateTimeOffset from, DateTimeOffset to)
    {
        var script = Script.Of(start, log, from);
        return new(
            from, to, AsRecorded(start, log, script, from, to), new Simulation(start, script, ask => ask).Run("simulated as it was", from, to),
            new Simulation(start, script, ask => ask with { Nodes = policy.Nodes, Cards = Own(ask.Cards) ?? policy.Cards }).Run($"{policy.Nodes.Word()}/{policy.Cards.Word}", from, to),
            Approximates);
    }

    private static CardPolicy? Own(CardPolicy asked) => asked.IdleOnly || asked.BestConnected ? asked : null;

    private static PolicyOutcome AsRecorded(ClusterLedger start, IReadOnlyList<Recorded> log, Script script, DateTimeOffset from, DateTimeOffset to)
    {
        var (cluster, meter) = (start, new UseMeter(from));
        foreach (var e in log)
        {
            meter.Until(e.At, cluster);
            cluster = Replay.Next(cluster, e);
        }
        meter.Until(to, cluster);
        var refused = log.Select(e => e.Event).OfType<PlacementRefused>().Select(e => e.PodUid).Concat(start.Waiting.Keys).ToHashSet(StringComparer.Ordinal);
        var waits = new List<double>();
        foreach (var arrival in script.Arrivals)
        {
            if (arrival.PlacedAt is { } placed)
                waits.Add((placed - arrival.At).TotalSeconds);
        }
        return meter.Outcome("as it was", script.Arrivals.Count, script.Arrivals.Count(a => refused.Contains(a.Ask.Uid)), waits);
    }
}
