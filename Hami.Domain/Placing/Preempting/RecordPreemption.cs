using Hami.Domain.Ledger;

namespace Hami.Domain.Placing.Preempting;

/// <summary>Keep in the log whom a pod may push aside.</summary>
/// <param name="Plan">Nodes where that helps.</param>
/// <param name="Offered">How many nodes kube-scheduler had in mind.</param>
/// <param name="LogPosition">Position of the view that planned.</param>
public sealed record RecordPreemption(PodAsk Ask, IReadOnlyList<PlannedVictims> Plan, int Offered, long LogPosition);

public static class RecordPreemptionDecider
{
    /// <summary>One event per change of the plan; none once the pod holds an allocation.</summary>
    /// <param name="before">The pod's last plan; null when it had none.</param>
    public static Verdict<PodEvent> Decide(RecordPreemption command, PodEvent.PreemptionPlanned? before, ClusterLedger cluster)
    {
        var ask = command.Ask;
        if (cluster.LiveByPod.ContainsKey(ask.Uid) || (before is not null && IsSame(before.Nodes, command.Plan)))
            return Verdict<PodEvent>.Nothing;
        return new PodEvent.PreemptionPlanned(ask.Uid, ask.Namespace, ask.Name, command.Plan, Message(command), command.LogPosition);
    }

    private static bool IsSame(IReadOnlyList<PlannedVictims> a, IReadOnlyList<PlannedVictims> b) =>
        a.Count == b.Count && a.Zip(b).All(pair => pair.First.Node == pair.Second.Node && pair.First.PodUids.SequenceEqual(pair.Second.PodUids, StringComparer.Ordinal));

    private static string Message(RecordPreemption command)
    {
        var offered = $"{command.Offered} {(command.Offered == 1 ? "node" : "nodes")}";
        if (command.Plan.Count == 0)
            return $"No eviction of less important pods makes room on the cards of {offered} that kube-scheduler had in mind.";
        var (least, most) = (command.Plan.Min(n => n.PodUids.Count), command.Plan.Max(n => n.PodUids.Count));
        var pods = least == most ? $"{most} {(most == 1 ? "pod" : "pods")}" : $"{least} to {most} pods";
        return $"Evicting {pods} makes room on {command.Plan.Count} of {offered} that kube-scheduler had in mind.";
    }
}
