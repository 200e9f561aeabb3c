using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;

namespace Hami.Domain.Replaying;

/// <summary>Where a pod stands, and why.</summary>
public enum PodStanding
{
    /// <summary>It was refused and waits for a node.</summary>
    Waiting,

    /// <summary>It holds cards.</summary>
    Holding,

    /// <summary>It held cards and gave them back.</summary>
    Released,

    /// <summary>It went away before it held anything.</summary>
    Withdrawn,
}

/// <summary>One thing that happened to a pod.</summary>
/// <param name="What">One sentence.</param>
public sealed record PodStep(long Position, DateTimeOffset At, string What);

/// <summary>Everything the log tells of one pod up to a position.</summary>
/// <param name="Position">Sequence of the last event that counts.</param>
/// <param name="Steps">What happened, in order.</param>
/// <param name="WhyThere">Why its last node and cards were chosen, in sentences; empty when it was never placed.</param>
/// <param name="WhyNot">Why it found no node when last refused, a line for each reason; empty when it does not wait.</param>
/// <param name="WouldFit">What would let it fit, each by itself; empty when it does not wait, or nothing alone would.</param>
/// <param name="Ask">What it asked when it was last decided about; null when the log does not tell.</param>
public sealed record PodExplanation(
    string PodUid, string Namespace, string Pod, long Position, PodStanding Standing, IReadOnlyList<PodStep> Steps, IReadOnlyList<string> WhyThere,
    IReadOnlyList<string> WhyNot, IReadOnlyList<string> WouldFit, PodAsk? Ask);

/// <summary>Explains a pod from its events.</summary>
public static class ExplainPod
{
    /// <summary>What its own events tell; for one that waits, <see cref="Tried"/> tells the rest.</summary>
    /// <param name="log">The pod's events in their order, up to the position; others are passed over.</param>
    /// <returns>Null when they tell nothing of the pod.</returns>
    public static PodExplanation? Of(string podUid, IEnumerable<Recorded> log, long position)
    {
        var (name, ids) = (((string Namespace, string Pod)?)null, new HashSet<Guid>());
        var steps = new List<PodStep>();
        var (standing, placed, refused) = (PodStanding.Waiting, (AllocationPlaced?)null, (PlacementRefused?)null);
        foreach (var e in log)
        {
            switch (e.Event)
            {
                case AllocationPlaced p when p.PodUid == podUid:
                    (name, standing, placed) = ((p.Namespace, p.Pod), PodStanding.Holding, p);
                    ids.Add(p.AllocationId);
                    Step(e, $"placed on {p.Node}: {Shares(p.Shares)}");
                    break;
                case AllocationAdopted a when a.PodUid == podUid:
                    (name, standing) = ((a.Namespace, a.Pod), PodStanding.Holding);
                    ids.Add(a.AllocationId);
                    Step(e, $"adopted on {a.Node}, where it was found ({a.Source}): {Shares(a.Shares)}");
                    break;
                case PlacementRefused r when r.PodUid == podUid:
                    (name, standing, refused) = ((r.Namespace, r.Pod), PodStanding.Waiting, r);
                    Step(e, $"refused: {r.Message}");
                    break;
                case PreemptionPlanned p when p.PodUid == podUid:
                    name = (p.Namespace, p.Pod);
                    Step(e, $"preemption: {p.Message}");
                    break;
                case WorkloadWithdrawn w when w.PodUid == podUid:
                    standing = PodStanding.Withdrawn;
                    Step(e, "went away while it waited");
                    break;
                case AllocationBound b when ids.Contains(b.AllocationId):
                    Step(e, "bound: the API server has it on that node");
                    break;
                case AllocationAttached a when ids.Contains(a.AllocationId):
                    Step(e, "attached: the node agent handed its containers the devices");
                    break;
                case AllocationShrunk s when ids.Contains(s.AllocationId):
                    Step(e, "shrunk: its init containers ended and gave back what only they needed");
                    break;
                case AllocationReleased r when ids.Contains(r.AllocationId):
                    standing = PodStanding.Released;
                    Step(e, $"released: {Words(r.Reason)}");
                    break;
            }
        }
        if (name is not var (@namespace, pod))
            return null;
        var waits = standing is PodStanding.Waiting && refused is not null;
        return new(
            podUid, @namespace, pod, position, standing, steps,
            placed is null ? [] : WhyThere(placed),
            waits ? [.. refused!.Reasons.Select(WhyNot)] : [],
            [], (waits ? refused!.Ask : null) ?? placed?.Because.Ask);

        void Step(Recorded e, string what) => steps.Add(new(e.Position, e.At, what));
    }

    /// <summary>With what would let it fit, when it waits.</summary>
    /// <param name="cluster">The state at the explanation's position.</param>
    public static PodExplanation Tried(PodExplanation pod, ClusterLedger cluster) =>
        pod.Standing is not PodStanding.Waiting || pod.WhyNot.Count == 0 ? pod
        : pod with { WouldFit = pod.Ask is { } ask ? WhatWouldFit.Of(ask, cluster) : ["What it asked was not kept when it was refused, so it cannot be tried."] };

    private static List<string> WhyThere(AllocationPlaced placed)
    {
        var because = placed.Because;
        var why = new List<string>();
        if (because.Ask is { } ask)
            why.Add($"It asked for {string.Join(", ", ask.Containers.Where(c => c.Count > 0).Select(Asked))}{Wished(ask.Wish)}.");
        why.Add(because.Candidates > 0
            ? $"{placed.Node} was {(because.Candidates == 1 ? "the only node offered" : $"the best of {because.Candidates} nodes offered")} by the policy {because.NodePolicy}; its score before the pod, 0 empty to 30 full, was {because.Score}."
            : $"kube-scheduler, or a reservation that is not in the log, chose {placed.Node}; its score before the pod, 0 empty to 30 full, was {because.Score}.");
        if (because.RunnersUp.Count > 0)
            why.Add($"Next best: {string.Join(", ", because.RunnersUp.Select(r => $"{r.Node} with {r.Score}"))}.");
        why.Add($"Its cards were chosen by the policy {because.GpuPolicy}.");
        foreach (var reserved in because.Reservations)
            why.Add($"Set aside for pod {reserved.PodUid} on that node: {Shares(reserved.Shares)}.");
        if (because.Quota is { } quota)
            why.Add($"The quota of namespace {placed.Namespace} had left {Limit(quota.MemoryMiB, "MiB")} and {Limit(quota.Cores, "cores")}.");
        if (because.Host is { } host)
            why.Add($"The node itself had {host.CpuMilli} thousandths of a CPU and {host.MemoryMiB} MiB free.");
        why.Add($"It was chosen by what the log said up to event {because.LogPosition}, with policy version {because.PolicyVersion} and workload version {because.WorkloadVersion}.");
        return why;
    }

    private static string WhyNot(RefusalCount reason) => Enum.TryParse<CardRefusal>(reason.Reason, out var known)
        ? $"{reason.Reason}, {reason.Cards} {(reason.Cards == 1 ? "card" : "cards")}: {known.Words()}{Examples(reason)}"
        : $"{reason.Reason}, {reason.Cards} {(reason.Cards == 1 ? "node" : "nodes")}{Examples(reason)}";

    private static string Examples(RefusalCount reason) => reason.ExampleNodes.Count == 0 ? "" : $" (such as on {string.Join(", ", reason.ExampleNodes)})";

    private static string Asked(ContainerAsk c)
    {
        var memory = c.MemoryMiB > 0 ? $"{c.MemoryMiB} MiB" : $"{c.MemoryPercent} % of the memory";
        return $"{c.Count} {(c.Count == 1 ? "card" : "cards")} with {memory}{(c.Cores > 0 ? $" and {c.Cores} % of the compute" : "")} in {c.Name}";
    }

    private static string Wished(CardWish wish)
    {
        var wishes = new List<string>();
        Add("models", wish.UseTypes);
        Add("no models", wish.AvoidTypes);
        Add("cards", wish.UseUuids);
        Add("not the cards", wish.AvoidUuids);
        if (wish.Mode is { } mode)
            wishes.Add($"mode {mode}");
        if (wish.OneNuma)
            wishes.Add("one NUMA node");
        return wishes.Count == 0 ? "" : $"; its annotations want {string.Join(", ", wishes)}";

        void Add(string what, IReadOnlyList<string> words)
        {
            if (words.Count > 0)
                wishes.Add($"{what} {string.Join(" or ", words)}");
        }
    }

    private static string Shares(IReadOnlyList<Share> shares) => string.Join("; ", shares.Select(s =>
        $"{s.Container} has {s.MemoryMiB} MiB{(s.Cores > 0 ? $" and {s.Cores} % of the compute" : "")} of {s.DeviceUuid}{(s.Mig is { } m ? $" as {m.Profile} at slice {m.Start}" : "")}"));

    private static string Limit(long? room, string unit) => room is { } left ? $"{left} {unit}" : $"any {unit}";

    private static string Words(ReleaseReason reason) => reason switch
    {
        ReleaseReason.Completed => "the pod succeeded",
        ReleaseReason.Failed => "the pod failed",
        ReleaseReason.Deleted => "the pod is gone from the API server",
        ReleaseReason.BindFailed => "its Binding was given up",
        _ => reason.ToString(),
    };
}
