using Hami.Domain.Ledger;
using Hami.Domain.Protocol;

namespace Hami.Domain.Placing;

/// <summary>The policies of the cluster that a pod's annotations may override.</summary>
public sealed record PlacementPolicy(NodePolicy Nodes, CardPolicy Cards)
{
    /// <summary>HAMi's defaults: fill nodes, spread over the cards of a node.</summary>
    public static readonly PlacementPolicy Default = new(NodePolicy.Binpack, CardPolicy.Spread);
}

/// <summary>Reads what a pod asks for, or says in a sentence which value is wrong and how to mend it.</summary>
public static class PodAskParser
{
    /// <summary>Cards one container may ask for; more is taken for a typing error.</summary>
    public const int MaxCards = 1024;

    // Below 2^20 the number is MiB (a card has less than 1 TiB); from 2^24 on it can only be bytes.
    private const decimal LargestMiB = 1 << 20;
    private const decimal SmallestBytes = 1 << 24;
    private const decimal MiB = 1 << 20;

    /// <summary>The ask and no refusal, or a refusal and an ask that must not be used.</summary>
    public static (PodAsk Ask, Refusal? Refusal) Parse(PodShape pod, ResourceNames names, PlacementPolicy policy)
    {
        Refusal? refusal = null;
        var containers = new List<ContainerAsk>(pod.Containers.Count);
        foreach (var container in pod.Containers)
        {
            var (ask, refused) = Container(container, names);
            refusal ??= refused;
            containers.Add(ask);
        }
        ScoringWeights? weights = null;
        if (pod.Annotations.GetValueOrDefault(HamiKeys.ScoringWeights) is { } text && (weights = ScoringWeights.TryParse(text)) is null)
            refusal ??= new("InvalidAnnotation", $"calcScore failed invalid {HamiKeys.ScoringWeights} annotation \"{text}\": {ScoringWeights.Form}");
        return (new(
            pod.Uid, pod.Namespace, pod.Name, containers, Wish(pod.Annotations),
            NodePolicies.TryParse(pod.Annotations.GetValueOrDefault(HamiKeys.NodePolicy)) ?? policy.Nodes,
            CardPolicy.TryParse(pod.Annotations.GetValueOrDefault(HamiKeys.GpuPolicy)) ?? policy.Cards,
            weights), refusal);
    }

    private static (ContainerAsk Ask, Refusal? Refusal) Container(ContainerShape container, ResourceNames names)
    {
        var endsBeforeApps = container.IsInit && !container.IsSidecar;
        var nothing = new ContainerAsk(container.Name, endsBeforeApps, 0, 0, 0, 0);

        if (Whole(container, names.Count, MaxCards) is { } badCount)
            return (nothing, badCount);
        if (Memory(container, names.Memory, out var memoryMiB) is { } badMemory)
            return (nothing, badMemory);
        if (Whole(container, names.MemoryPercent, 100) is { } badPercent)
            return (nothing, badPercent);
        // HAMi takes more than 100 cores as one whole card.
        if (Whole(container, names.Cores, int.MaxValue) is { } badCores)
            return (nothing, badCores);

        var count = (int)(container.Asked(names.Count) ?? 0);
        var percent = (int)(container.Asked(names.MemoryPercent) ?? 0);
        var cores = (int)Math.Min(container.Asked(names.Cores) ?? 0, 100);
        if (memoryMiB > 0)
            percent = 0;
        else if (percent == 0)
            percent = 100;
        return (new(container.Name, endsBeforeApps, count, memoryMiB, percent, cores), null);
    }

    private static Refusal? Whole(ContainerShape container, string resource, decimal most) => container.Asked(resource) switch
    {
        null => null,
        var v when v != decimal.Truncate(v.Value) || v < 0 || v > most => Bad(
            container, resource, v.Value, most == int.MaxValue ? "it must be a whole number from 0 on" : $"it must be a whole number from 0 to {most}"),
        _ => null,
    };

    private static Refusal? Memory(ContainerShape container, string resource, out long memoryMiB)
    {
        memoryMiB = 0;
        if (container.Asked(resource) is not { } value)
            return null;
        if (value != decimal.Truncate(value) || value < 0)
            return Bad(container, resource, value, "it must be a whole number of MiB from 0 on, such as 3000, or bytes such as 3Gi");
        if (value >= LargestMiB && value < SmallestBytes)
            return Bad(container, resource, value, $"it is neither MiB (below {LargestMiB}) nor bytes (from {SmallestBytes} on); write for example 3000 or 3Gi");
        var inMiB = value < LargestMiB ? value : decimal.Ceiling(value / MiB);
        if (inMiB > int.MaxValue)
            return Bad(container, resource, value, "no card has that much memory");
        memoryMiB = (long)inMiB;
        return null;
    }

    private static Refusal Bad(ContainerShape container, string resource, decimal value, string rule) => new(
        "InvalidResource", $"container {container.Name} asks {resource}: {value}, but {rule}");

    private static CardWish Wish(IReadOnlyDictionary<string, string> annotations) => new(
        Words(annotations, HamiKeys.UseGpuType), Words(annotations, HamiKeys.NoUseGpuType),
        Words(annotations, HamiKeys.UseGpuUuid), Words(annotations, HamiKeys.NoUseGpuUuid),
        annotations.GetValueOrDefault(HamiKeys.GpuMode), IsTrue(annotations.GetValueOrDefault(HamiKeys.NumaBind)));

    // What Go's strconv.ParseBool takes for true.
    private static bool IsTrue(string? text) => text is "1" or "t" or "T" or "true" or "TRUE" or "True";

    private static string[] Words(IReadOnlyDictionary<string, string> annotations, string key) =>
        annotations.GetValueOrDefault(key)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
}
