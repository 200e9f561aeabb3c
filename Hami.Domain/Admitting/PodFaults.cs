using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;

namespace Hami.Domain.Admitting;

/// <summary>What admission refuses though placement would give it a meaning: its author meant something else.</summary>
internal static class PodFaults
{
    private static readonly string[] Modes = ["hami-core", Card.MigMode, "mps"];

    /// <summary>The first fault, or null.</summary>
    public static Refusal? Find(PodShape pod, NvidiaConfig nvidia)
    {
        var asksCards = false;
        for (var i = 0; i < pod.Containers.Count; i++)
        {
            var container = pod.Containers[i];
            if (Fault(container, nvidia.ResourceNames) is { } fault)
                return fault;
            asksCards |= container.Asked(nvidia.ResourceNames.Count) > 0;
        }
        return asksCards ? Fault(pod.Annotations) : null;
    }

    private static Refusal? Fault(ContainerShape container, ResourceNames names)
    {
        if (container.Asked(names.MemoryPercent) is { } percent && (percent != decimal.Truncate(percent) || percent is < 0 or > 100))
            return PodAskParser.Bad(container, names.MemoryPercent, percent, PodAskParser.PercentRule);
        if (container.Limits.TryGetValue(names.Priority, out var priority) && (priority != decimal.Truncate(priority) || priority is < 0 or > int.MaxValue))
            return PodAskParser.Bad(container, names.Priority, priority, "must be a whole number from 0 on: 0 for high, 1 for low");
        return null;
    }

    private static Refusal? Fault(IReadOnlyDictionary<string, string> annotations) =>
        Unless(annotations, HamiKeys.NodePolicy, text => NodePolicies.TryParse(text) is not null, NodePolicies.Words)
        ?? Unless(annotations, HamiKeys.GpuPolicy, text => CardPolicy.TryParse(text) is not null, CardPolicy.Words)
        ?? Unless(annotations, HamiKeys.NumaBind, text => GoBoolean.TryParse(text) is not null, GoBoolean.Words)
        ?? Unless(annotations, HamiKeys.GpuMode, text => Modes.Any(text.Contains), string.Join(", ", Modes) + " or a comma list of them");

    // Blank is as good as absent, as it is for the lists of models and cards.
    private static Refusal? Unless(IReadOnlyDictionary<string, string> annotations, string key, Func<string, bool> isKnown, string words) =>
        annotations.GetValueOrDefault(key) is { } text && !string.IsNullOrWhiteSpace(text) && !isKnown(text)
            ? new(PodAskParser.InvalidAnnotation, $"invalid {key} annotation \"{PodAskParser.Excerpt(text)}\": must be {words}")
            : null;
}
