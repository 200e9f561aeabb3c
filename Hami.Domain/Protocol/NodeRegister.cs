using System.Text.Json;
using System.Text.Json.Serialization;

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
    [JsonPropertyName("type")] public string Type { get; init; } = "";

    /// <summary>NUMA node; 0 also when unknown.</summary>
    [JsonPropertyName("numa")] public int Numa { get; init; }

    /// <summary><c>hami-core</c>, <c>mig</c> or <c>mps</c>.</summary>
    [JsonPropertyName("mode")] public string Mode { get; init; } = "";

    [JsonPropertyName("health")] public bool Health { get; init; }
}

/// <summary>Codec of the annotation <see cref="HamiKeys.NodeRegister"/>.</summary>
public static class NodeRegister
{
    private static readonly JsonSerializerOptions Json = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault };

    /// <summary>Writes the devices in the order given.</summary>
    public static string Encode(IReadOnlyList<PublishedDevice> devices) => JsonSerializer.Serialize(devices, Json);

    /// <summary>Reads the annotation.</summary>
    /// <exception cref="FormatException">It is not a JSON array of usable devices; the message says what is wrong.</exception>
    public static IReadOnlyList<PublishedDevice> Decode(string text)
    {
        PublishedDevice?[]? devices;
        try
        {
            devices = JsonSerializer.Deserialize<PublishedDevice?[]>(text, Json);
        }
        catch (JsonException e)
        {
            throw new FormatException($"The annotation {HamiKeys.NodeRegister} is not a JSON array of devices: {e.Message}", e);
        }
        if (devices is null or [])
            throw new FormatException($"The annotation {HamiKeys.NodeRegister} lists no device.");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var device in devices)
        {
            if (device is null || string.IsNullOrWhiteSpace(device.Id))
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} has an entry without an \"id\".");
            if (device.Count < 0 || device.MemoryMiB < 0 || device.Cores < 0)
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} has a negative count, devmem or devcore for {device.Id}.");
            if (!seen.Add(device.Id))
                throw new FormatException($"The annotation {HamiKeys.NodeRegister} lists {device.Id} twice.");
        }
        return devices!;
    }
}
