using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hami.Domain.Protocol;

/// <summary>A MIG instance chosen for a container, as it stands in <see cref="HamiKeys.MigAllocations"/>.</summary>
public sealed record MigAllocation
{
    /// <summary>Position among the pod's containers, init containers first.</summary>
    [JsonPropertyName("containerIndex")] public int ContainerIndex { get; init; }

    /// <summary>Position among the container's devices.</summary>
    [JsonPropertyName("deviceIndex")] public int DeviceIndex { get; init; }

    /// <summary>UUID of the physical card.</summary>
    [JsonPropertyName("gpuUUID")] public string GpuUuid { get; init; } = "";

    /// <summary>Such as <c>2g.10gb</c>.</summary>
    [JsonPropertyName("profile")] public string Profile { get; init; } = "";

    /// <summary>The memory slices it takes.</summary>
    [JsonPropertyName("placement")] public PublishedMigPlacement? Placement { get; init; }

    /// <summary>UUID of the instance; null, as the two ids, until the device plugin has made it.</summary>
    [JsonPropertyName("migUUID")] public string? MigUuid { get; init; }

    [JsonPropertyName("gpuInstanceID")] public int? GpuInstanceId { get; init; }

    [JsonPropertyName("computeInstanceID")] public int? ComputeInstanceId { get; init; }
}

/// <summary>Codec of the annotation <see cref="HamiKeys.MigAllocations"/>.</summary>
public static class MigAllocations
{
    public static string Encode(IEnumerable<MigAllocation> allocations) => JsonSerializer.Serialize(allocations, MigAllocationsJson.Default.IEnumerableMigAllocation);

    /// <summary>Reads the annotation; one bad entry makes all of it unusable.</summary>
    /// <exception cref="FormatException">The message says what is wrong.</exception>
    public static IReadOnlyList<MigAllocation> Decode(string text)
    {
        MigAllocation?[]? allocations;
        try
        {
            allocations = JsonSerializer.Deserialize(text, MigAllocationsJson.Default.MigAllocationArray);
        }
        catch (JsonException e)
        {
            throw new FormatException($"The annotation {HamiKeys.MigAllocations} is not a JSON array of MIG allocations: {e.Message}", e);
        }
        var seen = new HashSet<(int, int)>();
        foreach (var allocation in allocations ?? throw new FormatException($"The annotation {HamiKeys.MigAllocations} is null."))
        {
            if (WhyNot(allocation) is { } bad)
                throw new FormatException($"The annotation {HamiKeys.MigAllocations} has an entry {bad}.");
            if (!seen.Add((allocation!.ContainerIndex, allocation.DeviceIndex)))
                throw new FormatException($"The annotation {HamiKeys.MigAllocations} has two entries for device {allocation.DeviceIndex} of container {allocation.ContainerIndex}.");
        }
        return allocations!;
    }

    private static string? WhyNot(MigAllocation? allocation) =>
        allocation is null ? "that is null"
        : allocation.ContainerIndex < 0 || allocation.DeviceIndex < 0 ? "with a negative containerIndex or deviceIndex"
        : string.IsNullOrEmpty(allocation.GpuUuid) || string.IsNullOrEmpty(allocation.Profile) ? "without gpuUUID or profile"
        : allocation.GpuUuid.Contains('\0', StringComparison.Ordinal) || allocation.Profile.Contains('\0', StringComparison.Ordinal) ? "with a NUL character"
        : allocation.Placement is not { Start: >= 0, Size: > 0 } place || place.Start + (long)place.Size > Ledger.MigPlacement.MostSlices
            ? $"whose placement is not within memory slices 0 to {Ledger.MigPlacement.MostSlices - 1}"
        // The ids may be 0: their presence is what says that the instance has been made.
        : new[] { allocation.MigUuid is not null, allocation.GpuInstanceId is not null, allocation.ComputeInstanceId is not null }.Distinct().Count() > 1
            ? "with some of migUUID, gpuInstanceID and computeInstanceID but not all"
        : null;
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IEnumerable<MigAllocation>))]
[JsonSerializable(typeof(MigAllocation[]))]
internal sealed partial class MigAllocationsJson : JsonSerializerContext;
