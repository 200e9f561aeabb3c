using System.Globalization;
using System.Text.Json;
using Hami.Domain.Protocol;
using Hami.Lab.Kubelet;
using Hami.Lab.Scheduler;

namespace Hami.Lab.Hollow;

/// <summary>What a hollow node reads of a pod it is to run; short-lived.</summary>
internal sealed record SeenPod
{
    public const string Resource = "nvidia.com/gpu";
    private static readonly Amounts Nothing = new();

    public required AskingPod Asks { get; init; }

    /// <summary>The scheduler's choice for each container, init containers first; null when it is not there or does not fit.</summary>
    public IReadOnlyList<IReadOnlyList<ListedDevice>>? Shares { get; init; }

    /// <summary>Why there are no shares, in the agent's words.</summary>
    public string? Fault { get; init; }

    public bool IsAllocating { get; init; }

    /// <summary>What it asks beside devices.</summary>
    public required Amounts Requests { get; init; }

    public required IReadOnlyList<string> Init { get; init; }

    public required IReadOnlyList<string> Containers { get; init; }

    /// <summary>How long its containers run; null for ever.</summary>
    public TimeSpan? RunsFor { get; init; }

    public static SeenPod Read(JsonElement pod)
    {
        var metadata = pod.GetProperty("metadata");
        var spec = pod.GetProperty("spec");
        var init = List(spec, "initContainers");
        var containers = List(spec, "containers");
        var asks = new AskingPod(
            Text(metadata, "uid") ?? "", [.. init.Select(c => Ask(c, isInit: true)), .. containers.Select(c => Ask(c, isInit: false))]);
        var (shares, fault) = ReadShares($"{Text(metadata, "namespace")}/{Text(metadata, "name")}", metadata, asks);
        return new()
        {
            Asks = asks,
            Shares = shares,
            Fault = fault,
            IsAllocating = Annotation(metadata, HamiKeys.BindPhase) == BindPhases.Allocating,
            Requests = ReadRequests(spec),
            Init = [.. init.Select(c => Text(c, "name") ?? "")],
            Containers = [.. containers.Select(c => Text(c, "name") ?? "")],
            RunsFor = Text(spec, "restartPolicy") == "Always" ? null : Longest(containers),
        };
    }

    public static string? Text(JsonElement parent, string name) =>
        parent.ValueKind is JsonValueKind.Object && parent.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    private static (IReadOnlyList<IReadOnlyList<ListedDevice>>? Shares, string? Fault) ReadShares(string pod, JsonElement metadata, AskingPod asks)
    {
        if (!asks.Containers.Any(c => c.Limits.Count > 0))
            return ([.. asks.Containers.Select(_ => Array.Empty<ListedDevice>())], null);
        if (Annotation(metadata, HamiKeys.AllocationId) is not { Length: > 0 } || Annotation(metadata, HamiKeys.DevicesAllocated) is not { } text)
            return (null, $"Pod {pod} was not placed by the HAMi scheduler (no annotation {HamiKeys.DevicesAllocated} with {HamiKeys.AllocationId}); set schedulerName to the HAMi scheduler's and create the pod again.");
        try
        {
            var list = DeviceList.Decode(text);
            var fits = list.Count == asks.Containers.Count
                && list.Zip(asks.Containers).All(pair => pair.First.Count == pair.Second.Limits.Sum(l => l.Count));
            return fits ? (list, null) : (null, $"Pod {pod} has an annotation {HamiKeys.DevicesAllocated} \"{text}\" that does not fit its containers; create the pod again.");
        }
        catch (FormatException e)
        {
            return (null, $"Pod {pod} has an annotation {HamiKeys.DevicesAllocated} that cannot be read: {e.Message} Create the pod again.");
        }
    }

    // Most ask for cards only, which are counted elsewhere.
    private static Amounts ReadRequests(JsonElement spec)
    {
        var requests = PodAmounts.Of(new() { Spec = k8s.KubernetesJson.Deserialize<k8s.Models.V1PodSpec>(spec.GetRawText()) });
        return requests is { MilliCpu: 0, MemoryBytes: 0, DiskBytes: 0 } ? Nothing : requests;
    }

    private static AskingContainer Ask(JsonElement container, bool isInit)
    {
        var count = 0;
        if (container.TryGetProperty("resources", out var resources) && resources.TryGetProperty("limits", out var limits) && Text(limits, Resource) is { } quantity)
            count = Asking.Count(new(quantity));
        return new(Text(container, "name") ?? "", isInit && Text(container, "restartPolicy") != "Always", count > 0 ? [(Resource, count)] : []);
    }

    // Pods that only sleep end by themselves; what others would do nobody knows here.
    private static TimeSpan? Longest(IReadOnlyList<JsonElement> containers)
    {
        var longest = TimeSpan.Zero;
        foreach (var container in containers)
        {
            string?[] words = [.. Strings(container, "command"), .. Strings(container, "args")];
            if (words is not ["sleep", { } seconds] || !double.TryParse(seconds, NumberStyles.Float, CultureInfo.InvariantCulture, out var time) || time is < 0 or > 1e8)
                return null;
            longest = TimeSpan.FromSeconds(Math.Max(longest.TotalSeconds, time));
        }
        return longest;
    }

    private static IEnumerable<string?> Strings(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var list) && list.ValueKind is JsonValueKind.Array ? list.EnumerateArray().Select(w => w.GetString()) : [];

    private static List<JsonElement> List(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var list) && list.ValueKind is JsonValueKind.Array ? [.. list.EnumerateArray()] : [];

    private static string? Annotation(JsonElement metadata, string key) =>
        metadata.TryGetProperty("annotations", out var annotations) ? Text(annotations, key) : null;
}
