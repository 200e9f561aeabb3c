using System.Globalization;
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
/// <remarks>
/// A pod that came past admission is read as HAMi reads it: a percentage out of range and policy words nobody knows have a meaning.
/// What admission refuses beside that is in <see cref="Admitting.PodFaults"/>.
/// </remarks>
public static class PodAskParser
{
    /// <summary>Cards one container may ask for; more is taken for a typing error.</summary>
    public const int MaxCards = 1024;

    public const string InvalidResource = "InvalidResource";
    public const string InvalidAnnotation = "InvalidAnnotation";

    /// <summary>HAMi's words for a percentage that admission refuses.</summary>
    internal const string PercentRule = "must be an integer between 0 and 100";

    private const string CountRule = "must be a whole number from 0 to 1024";

    // They stand in every event that a placement of the pod leaves, for ever; the cards of some sixteen nodes can be named.
    private const int MostWords = 128;
    private const int LongestWish = 8192;

    // Texts of the user's that are kept in the log as they stand.
    private static readonly string[] Wishes =
        [HamiKeys.UseGpuType, HamiKeys.NoUseGpuType, HamiKeys.UseGpuUuid, HamiKeys.NoUseGpuUuid, HamiKeys.GpuMode, HamiKeys.GpuPolicy];

    // Below 2^20 the number is MiB (a card has less than 1 TiB); from 2^24 on it can only be bytes.
    private const decimal LargestMiB = 1 << 20;
    private const decimal SmallestBytes = 1 << 24;
    private const decimal MiB = 1 << 20;

    /// <summary>The ask and no refusal, or a refusal and an ask that must not be used.</summary>
    public static (PodAsk Ask, Refusal? Refusal) Parse(PodShape pod, NvidiaConfig nvidia, PlacementPolicy policy)
    {
        var (containers, refusal) = Containers(pod, nvidia);
        var asksCards = Array.Exists(containers, c => c.Count > 0);
        ScoringWeights? weights = null;
        if (asksCards && pod.Annotations.GetValueOrDefault(HamiKeys.ScoringWeights) is { } text && (weights = ScoringWeights.TryParse(text)) is null)
            refusal ??= new(InvalidAnnotation, $"calcScore failed invalid {HamiKeys.ScoringWeights} annotation \"{Excerpt(text)}\": {ScoringWeights.Form}");
        for (var i = 0; asksCards && refusal is null && i < Wishes.Length; i++)
            refusal = pod.Annotations.GetValueOrDefault(Wishes[i]) is { } wish ? Unkeepable(Wishes[i], wish) : null;
        return (new(
            pod.Uid, pod.Namespace, pod.Name, containers, Wish(pod.Annotations),
            OverNodes(pod.Annotations.GetValueOrDefault(HamiKeys.NodePolicy), policy), OverCards(pod.Annotations.GetValueOrDefault(HamiKeys.GpuPolicy), policy),
            weights, Group(pod), HostAsk.Of(pod), pod.Owner), refusal);
    }

    /// <summary>What each container asks, init containers first, and what is wrong with the first that cannot be understood.</summary>
    internal static (ContainerAsk[] Asks, Refusal? Refusal) Containers(PodShape pod, NvidiaConfig nvidia)
    {
        Refusal? refusal = null;
        var asks = new ContainerAsk[pod.Containers.Count];
        for (var i = 0; i < asks.Length; i++)
        {
            (asks[i], var refused) = Container(pod.Containers[i], nvidia);
            refusal ??= refused;
        }
        return (asks, refusal);
    }

    /// <summary>A refusal of one resource of a container, in the form HAMi refuses percentages in.</summary>
    internal static Refusal Bad(ContainerShape container, string resource, decimal value, string rule) => new(
        InvalidResource, string.Create(CultureInfo.InvariantCulture, $"invalid {resource} value {value:G29} in container {container.Name}: {rule}"));

    /// <summary>A user's text for a sentence, which nobody reads when it is long.</summary>
    internal static string Excerpt(string text) => text.Length <= 100 ? text : $"{text[..100]}…";

    private static Refusal? Unkeepable(string key, string wish) =>
        wish.Contains('\0', StringComparison.Ordinal) ? new(InvalidAnnotation, $"invalid {key} annotation: it holds a NUL character, which cannot be kept; remove it")
        : wish.Length > LongestWish ? new(InvalidAnnotation, $"invalid {key} annotation: it has {wish.Length} characters, at most {LongestWish} are kept; name fewer, or label the nodes and use a nodeSelector")
        : wish.AsSpan().Count(',') is >= MostWords and var commas
            ? new(InvalidAnnotation, $"invalid {key} annotation: it lists {commas + 1} words, at most {MostWords} are kept; name fewer, or label the nodes and use a nodeSelector")
        : null;

    private static (ContainerAsk Ask, Refusal? Refusal) Container(ContainerShape container, NvidiaConfig nvidia)
    {
        var names = nvidia.ResourceNames;
        var nothing = new ContainerAsk(container.Name, container.EndsBeforeApps, 0, 0, 0, 0);

        if (Whole(container, names.Count, 0, MaxCards, CountRule) is { } badCount)
            return (nothing, badCount);
        if (Memory(container, nvidia, out var memoryMiB) is { } badMemory)
            return (nothing, badMemory);
        if (Whole(container, names.MemoryPercent, decimal.MinValue, decimal.MaxValue, PercentRule) is { } badPercent)
            return (nothing, badPercent);
        if (Whole(container, names.Cores, 0, decimal.MaxValue, "must be a whole number from 0 on, 100 for a whole card") is { } badCores)
            return (nothing, badCores);

        var count = (int)(container.Asked(names.Count) ?? 0);
        if (count == 0)
            return (nothing, null);
        // HAMi takes more than 100 cores as one whole card.
        var cores = (int)Math.Min(container.Asked(names.Cores) ?? nvidia.DefaultCores, ContainerAsk.WholeCard);
        var percent = (int)Math.Clamp(container.Asked(names.MemoryPercent) ?? 0, 0, 100);
        if (memoryMiB > 0)
            percent = 0;
        else if (percent == 0 && nvidia.DefaultMemoryMiB > 0)
            memoryMiB = nvidia.DefaultMemoryMiB;
        else if (percent == 0)
            percent = 100;
        return (new(container.Name, container.EndsBeforeApps, count, memoryMiB, percent, cores), null);
    }

    private static Refusal? Whole(ContainerShape container, string resource, decimal least, decimal most, string rule) =>
        container.Asked(resource) is { } v && (v != decimal.Truncate(v) || v < least || v > most) ? Bad(container, resource, v, rule) : null;

    private static Refusal? Memory(ContainerShape container, NvidiaConfig nvidia, out long memoryMiB)
    {
        memoryMiB = 0;
        var resource = nvidia.ResourceNames.Memory;
        if (container.Asked(resource) is not { } value)
            return null;
        if (value != decimal.Truncate(value) || value < 0)
            return Bad(container, resource, value, "must be a whole number of MiB from 0 on, such as 3000, or bytes such as 3Gi");
        if (value >= LargestMiB && value < SmallestBytes)
            return Bad(container, resource, value, $"is neither MiB (below {LargestMiB}) nor bytes (from {SmallestBytes} on); write for example 3000 or 3Gi");
        // The factor is a unit of the plain number; bytes are bytes.
        var inMiB = value < LargestMiB ? value * nvidia.MemoryFactor : decimal.Ceiling(value / MiB);
        if (inMiB > int.MaxValue)
            return Bad(container, resource, value, "no card has that much memory");
        memoryMiB = (long)inMiB;
        return null;
    }

    // HAMi places by its own defaults, not the cluster's, when it does not know a word.
    private static NodePolicy OverNodes(string? text, PlacementPolicy policy) =>
        string.IsNullOrWhiteSpace(text) ? policy.Nodes : NodePolicies.TryParse(text) ?? NodePolicy.Binpack;

    private static CardPolicy OverCards(string? text, PlacementPolicy policy) =>
        string.IsNullOrWhiteSpace(text) ? policy.Cards
        : CardPolicy.TryParse(text)
            ?? CardPolicy.TryParse(string.Join(',', text.Split(',').Where(word => CardPolicy.TryParse(word) is not null)))
            ?? CardPolicy.Spread;

    private static string? Group(PodShape pod) =>
        pod.Labels.GetValueOrDefault(HamiKeys.PodGroup) is { Length: > 0 } labelled ? labelled
        : pod.SchedulingGroup is { Length: > 0 } named ? named
        : null;

    private static CardWish Wish(IReadOnlyDictionary<string, string> annotations) => new(
        Words(annotations, HamiKeys.UseGpuType), Words(annotations, HamiKeys.NoUseGpuType),
        Words(annotations, HamiKeys.UseGpuUuid), Words(annotations, HamiKeys.NoUseGpuUuid),
        annotations.GetValueOrDefault(HamiKeys.GpuMode) is { } mode && !string.IsNullOrWhiteSpace(mode) ? mode : null,
        GoBoolean.TryParse(annotations.GetValueOrDefault(HamiKeys.NumaBind)) ?? false);

    private static string[] Words(IReadOnlyDictionary<string, string> annotations, string key) =>
        annotations.GetValueOrDefault(key)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
}
