using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Domain.Ledger;

namespace Hami.Domain.Protocol;

/// <summary>One card as its node agent publishes it in <see cref="HamiKeys.NodeRegister"/>; zero values are left out on the wire.</summary>
public sealed record PublishedDevice
{
    /// <summary>UUID of the physical card.</summary>
    [JsonPropertyName("id")] public string Id { get; init; } = "";

    /// <summary>NVML index.</summary>
    [JsonPropertyName("index")] public int Index { get; init; }

    /// <summary>Slots: how many containers may share the card.</summary>
    [JsonPropertyName("count")] public int Count { get; init; }

    /// <summary>Device memory in MiB, memory scaling applied.</summary>
    [JsonPropertyName("devmem")] public long MemoryMiB { get; init; }

    /// <summary>Percent of compute, core scaling applied; 100 is one whole card.</summary>
    [JsonPropertyName("devcore")] public int Cores { get; init; }

    /// <summary>Product name, <c>NVIDIA-</c> before it unless it starts with <c>NVIDIA</c>.</summary>
    [JsonPropertyName("type")] public string Type { get; init => field = value ?? ""; } = "";

    /// <summary>NUMA node; 0 also when unknown.</summary>
    [JsonPropertyName("numa")] public int Numa { get; init; }

    /// <summary><c>hami-core</c>, <c>mig</c> or <c>mps</c>.</summary>
    [JsonPropertyName("mode")] public string Mode { get; init => field = value ?? ""; } = "";

    [JsonPropertyName("health")] public bool Health { get; init; }

    /// <summary>The instances a card in mode <c>mig</c> can be cut into; left out for other modes.</summary>
    [JsonPropertyName("migProfiles")] public IReadOnlyList<PublishedMigProfile>? MigProfiles { get; init; }
}

/// <summary>A kind of MIG instance as NVML lists it.</summary>
public sealed record PublishedMigProfile
{
    /// <summary>Such as <c>1g.5gb</c>.</summary>
    [JsonPropertyName("name")] public string Name { get; init; } = "";

    [JsonPropertyName("memoryMB")] public long MemoryMiB { get; init; }

    /// <summary>Percent of the card's compute.</summary>
    [JsonPropertyName("core")] public int Cores { get; init; }

    /// <summary>Compute slices.</summary>
    [JsonPropertyName("sliceCount")] public int Slices { get; init; }

    [JsonPropertyName("placements")] public IReadOnlyList<PublishedMigPlacement> Placements { get; init => field = value ?? []; } = [];
}

/// <summary>Where on a card an instance may begin, and how many memory slices it takes.</summary>
public sealed record PublishedMigPlacement
{
    [JsonPropertyName("start")] public int Start { get; init; }

    [JsonPropertyName("size")] public int Size { get; init; }
}

/// <summary>Codec of the annotation <see cref="HamiKeys.NodeRegister"/>.</summary>
public static class NodeRegister
{
    // What is added up, multiplied and laid out as a table must stay far from any limit, whoever writes the annotation.
    private const int MostDevices = 1024;
    private const int Most = 1_000_000;

    /// <summary>Writes the devices in the order given.</summary>
    public static string Encode(IReadOnlyList<PublishedDevice> devices) => JsonSerializer.Serialize(devices, NodeRegisterJson.Default.IReadOnlyListPublishedDevice);

    /// <summary>Reads the annotation.</summary>
    /// <exception cref="FormatException">It is not a JSON array of usable devices; the message says what is wrong.</exception>
    public static IReadOnlyList<PublishedDevice> Decode(string text)
    {
        PublishedDevice?[]? devices;
        try
        {
            devices = JsonSerializer.Deserialize(text, NodeRegisterJson.Default.PublishedDeviceArray);
        }
        catch (JsonException e)
        {
            throw new FormatException($"The annotation {HamiKeys.NodeRegister} is not a JSON array of devices: {e.Message}", e);
        }
        if (devices is null or [])
            throw new FormatException($"The annotation {HamiKeys.NodeRegister} lists no device.");
        if (devices.Length > MostDevices)
            throw new FormatException($"The annotation {HamiKeys.NodeRegister} lists {devices.Length} devices; a node has {MostDevices} at most.");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var device in devices)
        {
            if (device is null || string.IsNullOrWhiteSpace(device.Id))
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} has an entry without an \"id\".");
            if (device.Count < 0 || device.MemoryMiB < 0 || device.Cores < 0)
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} has a negative count, devmem or devcore for {device.Id}.");
            if (device.Count > Most || device.MemoryMiB > int.MaxValue || device.Cores > Most)
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} has a count, devmem or devcore for {device.Id} that no card has.");
            if ($"{device.Id}{device.Type}{device.Mode}".Contains('\0', StringComparison.Ordinal))
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} has a NUL character in an id, type or mode.");
            if (WhyNot(device.MigProfiles ?? []) is { } unusable)
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} has a MIG profile of {device.Id} {unusable}.");
            if (!seen.Add(device.Id))
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} lists {device.Id} twice.");
        }
        return devices!;
    }

    private static string? WhyNot(IReadOnlyList<PublishedMigProfile?> profiles) =>
        profiles.Any(p => string.IsNullOrWhiteSpace(p?.Name) || p.Name.Contains('\0', StringComparison.Ordinal)) ? "without a \"name\""
        : profiles.Any(p => p!.MemoryMiB > int.MaxValue || p.Cores > Most || p.Slices > Most) ? "with a number that no instance has"
        : profiles.Any(p => p!.MemoryMiB <= 0 || p.Cores < 0 || p.Slices < 0) ? "without memoryMB, or with a negative core or sliceCount"
        : profiles.Any(p => p!.Placements.Any(x => x is null || x.Start < 0 || x.Size <= 0 || x.Start + (long)x.Size > MigPlacement.MostSlices))
            ? $"with a placement that is not within memory slices 0 to {MigPlacement.MostSlices - 1}"
        : null;
}

// Made at compile time: the node agent is native code, which cannot look at types.
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(IReadOnlyList<PublishedDevice>))]
[JsonSerializable(typeof(PublishedDevice[]))]
internal sealed partial class NodeRegisterJson : JsonSerializerContext;
