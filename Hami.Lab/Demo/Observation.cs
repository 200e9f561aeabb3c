using System.Text.RegularExpressions;

namespace Hami.Lab.Demo;

/// <summary>What one card looked like from inside a container: a line of <c>lab-cuda probe</c>.</summary>
/// <param name="Device">The card's number inside.</param>
/// <param name="Uuid">Its UUID as CUDA says it.</param>
/// <param name="TotalMiB">Its memory as CUDA says it.</param>
/// <param name="NvmlTotalMiB">Its memory as NVML says it.</param>
/// <param name="Within">CUDA's answer to an allocation that the limit allows.</param>
/// <param name="Beyond">CUDA's answer to one that it does not.</param>
internal sealed record Probe(int Device, string Uuid, long TotalMiB, long NvmlTotalMiB, string Within, string Beyond);

/// <summary>A MIG instance as <c>nvidia-smi -L</c> lists it.</summary>
/// <param name="Card">UUID of the card it is a part of.</param>
/// <param name="Profile">Such as <c>2g.10gb</c>.</param>
/// <param name="Instance">Its own UUID.</param>
internal sealed partial record Listed(string Card, string Profile, string Instance)
{
    public static IReadOnlyList<Listed> Read(string text)
    {
        var found = new List<Listed>();
        var card = "";
        foreach (var line in text.Split('\n'))
        {
            if (CardLine().Match(line) is { Success: true } whole)
                card = whole.Groups["uuid"].Value;
            if (InstanceLine().Match(line) is { Success: true } part)
                found.Add(new(card, part.Groups["profile"].Value, part.Groups["uuid"].Value));
        }
        return found;
    }

    [GeneratedRegex(@"^GPU \d+: .*\(UUID: (?<uuid>GPU-[^)]+)\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex CardLine();

    [GeneratedRegex(@"^\s+MIG (?<profile>\S+)\s+Device\s+\d+: \(UUID: (?<uuid>MIG-[^)]+)\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex InstanceLine();
}

/// <summary>What became of one workload.</summary>
internal sealed record Observation
{
    public string Phase { get; init; } = "Missing";

    public string? Node { get; init; }

    /// <summary>What the control plane has given it.</summary>
    public IReadOnlyList<ObservedShare> Shares { get; init; } = [];

    /// <summary>Whether the control plane has seen the kubelet hand over the devices.</summary>
    public bool Attached { get; init; }

    /// <summary>The MIG instances that <c>nvidia-smi -L</c> lists inside.</summary>
    public IReadOnlyList<Listed> Listed { get; init; } = [];

    /// <summary>What a process in its container saw.</summary>
    public IReadOnlyList<Probe> Probes { get; init; } = [];

    /// <summary>What the container printed.</summary>
    public string Log { get; init; } = "";

    /// <summary>The message of its PodScheduled condition.</summary>
    public string? Condition { get; init; }

    /// <summary>Why it waits, as GraphQL says it.</summary>
    public ObservedWait? Wait { get; init; }

    /// <summary>What went wrong while looking.</summary>
    public string? Trouble { get; init; }
}

internal sealed record ObservedShare(string DeviceUuid, long MemoryMiB, int Cores);

internal sealed record ObservedWait(string Message, IReadOnlyDictionary<string, int> CardsByReason);
