using System.Text.RegularExpressions;
using Hami.Lab.Cluster;

namespace Hami.Lab.Demo;

/// <summary>Compares what became of a workload with what was meant to; every complaint is a sentence.</summary>
internal static partial class WorkloadCheck
{
    public static IReadOnlyList<string> Complaints(Workload workload, Observation seen, IReadOnlyList<LabNode> nodes) => workload.Outcome switch
    {
        Outcome.Skipped => [],
        _ when seen.Trouble is { } trouble => [trouble],
        Outcome.Runs => [.. RunningComplaints(workload, seen, nodes)],
        _ => [.. WaitingComplaints(workload, seen)],
    };

    private static IEnumerable<string> RunningComplaints(Workload workload, Observation seen, IReadOnlyList<LabNode> nodes)
    {
        if (seen.Phase != "Running")
            return [$"It is {seen.Phase} instead of Running: {seen.Condition ?? "no reason is given"}"];
        var cards = nodes.FirstOrDefault(node => node.Name == seen.Node)?.Cards ?? [];
        return [.. GivenComplaints(workload, seen, cards), .. SeenInsideComplaints(seen)];
    }

    // What the control plane gave: the right number of different cards, of the right kind, with the right sizes.
    private static IEnumerable<string> GivenComplaints(Workload workload, Observation seen, IReadOnlyList<LabCard> cards)
    {
        var different = seen.Shares.DistinctBy(share => share.DeviceUuid).Count();
        if (seen.Shares.Count != workload.Cards || different != workload.Cards)
            yield return $"It has {seen.Shares.Count} shares on {different} different cards instead of {workload.Cards}.";
        if (!seen.Attached)
            yield return "The control plane never saw its devices handed over.";

        foreach (var share in seen.Shares)
        {
            var card = cards.FirstOrDefault(card => card.Uuid == share.DeviceUuid);
            if (card is null)
            {
                yield return $"Its card {share.DeviceUuid} is not on its node {seen.Node}.";
                continue;
            }

            if (share.MemoryMiB != workload.MemoryOf(card.MemoryMiB))
                yield return $"It has {share.MemoryMiB} MiB of {card.Uuid} instead of {workload.MemoryOf(card.MemoryMiB)}.";
            if (share.Cores != workload.Cores)
                yield return $"It has {share.Cores} % of the cores of {card.Uuid} instead of {workload.Cores}.";
            if (workload.Models.Count > 0 && !workload.Models.Any(model => card.Model.Contains(model, StringComparison.OrdinalIgnoreCase)))
                yield return $"Its card {card.Uuid} is a {card.Model}, not one of {string.Join(", ", workload.Models)}.";
            if (workload.Uuids.Count > 0 && !workload.Uuids.Contains(card.Uuid, StringComparer.Ordinal))
                yield return $"Its card {card.Uuid} is not one of those listed.";
        }
    }

    // What a process inside met: the same cards, the same sizes, and a wall behind them.
    private static IEnumerable<string> SeenInsideComplaints(Observation seen)
    {
        if (seen.Probes.Count != seen.Shares.Count)
            yield return $"A process inside sees {seen.Probes.Count} cards instead of {seen.Shares.Count}.";
        foreach (var probe in seen.Probes)
        {
            var share = seen.Shares.FirstOrDefault(share => share.DeviceUuid == probe.Uuid);
            if (share is null)
            {
                yield return $"A process inside sees {probe.Uuid}, which the pod was not given.";
                continue;
            }

            if (probe.TotalMiB != share.MemoryMiB)
                yield return $"CUDA shows {probe.TotalMiB} MiB of {probe.Uuid} inside instead of {share.MemoryMiB}.";
            if (probe.NvmlTotalMiB != share.MemoryMiB)
                yield return $"NVML shows {probe.NvmlTotalMiB} MiB of {probe.Uuid} inside instead of {share.MemoryMiB}.";
            if (probe.Within != "CUDA_SUCCESS")
                yield return $"Memory within the limit of {probe.Uuid} is refused with {probe.Within}.";
            if (probe.Beyond != "CUDA_ERROR_OUT_OF_MEMORY")
                yield return $"Memory beyond the limit of {probe.Uuid} is answered with {probe.Beyond}.";
        }

        var shown = UsageColumn().Matches(seen.Log).Select(match => long.Parse(match.Groups["total"].Value)).Order();
        var meant = seen.Shares.Select(share => share.MemoryMiB).Order().ToList();
        if (!shown.SequenceEqual(meant))
            yield return $"The container's log does not show {string.Join(" and ", meant.Select(mib => $"0MiB / {mib}MiB"))}.";
    }

    private static IEnumerable<string> WaitingComplaints(Workload workload, Observation seen)
    {
        if (seen.Phase != "Pending")
            yield return $"It is {seen.Phase} instead of Pending.";
        if (seen.Shares.Count > 0)
            yield return "It holds cards though it cannot run.";
        if (seen.Condition is not { } condition || !condition.Contains(workload.InWords, StringComparison.Ordinal) || !condition.Any(char.IsAsciiDigit))
            yield return $"Its condition does not say how many cards were refused and why: {seen.Condition ?? "there is none"}";
        if (seen.Wait is not { } wait || !wait.Message.Contains(workload.InWords, StringComparison.Ordinal)
            || wait.CardsByReason.GetValueOrDefault(workload.Reason) == 0)
            yield return $"GraphQL does not say how many cards were refused and why: {seen.Wait?.Message ?? "it does not list the pod"}";
    }

    [GeneratedRegex(@"\b0MiB\s*/\s*(?<total>[0-9]+)MiB", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UsageColumn();
}
