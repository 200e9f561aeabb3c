using System.Text.RegularExpressions;
using Hami.Lab.Cluster;

namespace Hami.Lab.Demo;

/// <summary>Compares what became of a workload with what was meant to; every complaint is a sentence.</summary>
internal static partial class WorkloadCheck
{
    public static IReadOnlyList<string> Complaints(Workload workload, Observation seen, IReadOnlyList<LabNode> nodes) => workload.Outcome switch
    {
        _ when seen.Trouble is { } trouble => [trouble],
        Outcome.Runs => [.. RunningComplaints(workload, seen, nodes)],
        _ => [.. WaitingComplaints(workload, seen)],
    };

    private static IEnumerable<string> RunningComplaints(Workload workload, Observation seen, IReadOnlyList<LabNode> nodes)
    {
        if (seen.Phase != "Running")
            return [$"It is {seen.Phase} instead of Running: {seen.Condition ?? "no reason is given"}"];
        var cards = nodes.FirstOrDefault(node => node.Name == seen.Node)?.Cards ?? [];
        return workload.MigProfile is { } profile
            ? [.. InstanceComplaints(workload, profile, seen, cards), .. LogComplaints(seen)]
            : [.. GivenComplaints(workload, seen, cards), .. SeenInsideComplaints(seen), .. LogComplaints(seen)];
    }

    // So many instances of one card, of the smallest profile that is large enough; inside, those and no others, each with a wall behind its memory.
    private static IEnumerable<string> InstanceComplaints(Workload workload, string name, Observation seen, IReadOnlyList<LabCard> cards)
    {
        if (!seen.Attached)
            yield return "The control plane never saw its devices handed over.";
        if (seen.Shares.Count != workload.Cards || seen.Shares.DistinctBy(share => share.DeviceUuid).Count() != 1)
            yield return $"It has {seen.Shares.Count} instances instead of {workload.Cards} of one card.";
        if (cards.FirstOrDefault(card => seen.Shares.Any(share => share.DeviceUuid == card.Uuid)) is not { } card
            || card.MigProfiles?.FirstOrDefault(profile => profile.Name == name) is not { } profile)
        {
            yield return $"Its card on node {seen.Node} has no instances {name}.";
            yield break;
        }

        if (workload.OnlyModel is { } model && !card.Model.Contains(model, StringComparison.Ordinal))
            yield return $"Its card {card.Uuid} is a {card.Model}, not one of {model}.";
        foreach (var share in seen.Shares.Where(share => share.MemoryMiB != profile.MemoryMiB))
            yield return $"It has an instance of {share.MemoryMiB} MiB instead of {profile.MemoryMiB}.";
        if (seen.Listed.Count != workload.Cards || seen.Listed.Any(listed => listed.Card != card.Uuid || listed.Profile != name))
            yield return $"nvidia-smi -L lists {string.Join(", ", seen.Listed.Select(listed => $"{listed.Profile} of {listed.Card}"))} inside instead of {workload.Cards} × {name} of {card.Uuid}.";
        if (!seen.Probes.Select(probe => probe.Uuid).Order(StringComparer.Ordinal).SequenceEqual(seen.Listed.Select(listed => listed.Instance).Order(StringComparer.Ordinal), StringComparer.Ordinal))
            yield return $"Processes inside see {string.Join(", ", seen.Probes.Select(probe => probe.Uuid))} instead of the instances that nvidia-smi lists.";
        foreach (var complaint in seen.Probes.SelectMany(probe => WallComplaints(probe, profile.MemoryMiB)))
            yield return complaint;
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

            foreach (var complaint in WallComplaints(probe, share.MemoryMiB))
                yield return complaint;
        }
    }

    private static IEnumerable<string> WallComplaints(Probe probe, long memoryMiB)
    {
        if (probe.TotalMiB != memoryMiB)
            yield return $"CUDA shows {probe.TotalMiB} MiB of {probe.Uuid} inside instead of {memoryMiB}.";
        if (probe.NvmlTotalMiB != memoryMiB)
            yield return $"NVML shows {probe.NvmlTotalMiB} MiB of {probe.Uuid} inside instead of {memoryMiB}.";
        if (probe.Within != "CUDA_SUCCESS")
            yield return $"Memory within the limit of {probe.Uuid} is refused with {probe.Within}.";
        if (probe.Beyond != "CUDA_ERROR_OUT_OF_MEMORY")
            yield return $"Memory beyond the limit of {probe.Uuid} is answered with {probe.Beyond}.";
    }

    private static IEnumerable<string> LogComplaints(Observation seen)
    {
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
