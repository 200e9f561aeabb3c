namespace Hami.Lab.Demo;

/// <summary>What one card looked like from inside a container: a line of <c>lab-cuda probe</c>.</summary>
/// <param name="Device">The card's number inside.</param>
/// <param name="Uuid">Its UUID as CUDA says it.</param>
/// <param name="TotalMiB">Its memory as CUDA says it.</param>
/// <param name="NvmlTotalMiB">Its memory as NVML says it.</param>
/// <param name="Within">CUDA's answer to an allocation that the limit allows.</param>
/// <param name="Beyond">CUDA's answer to one that it does not.</param>
internal sealed record Probe(int Device, string Uuid, long TotalMiB, long NvmlTotalMiB, string Within, string Beyond);

/// <summary>What became of one workload.</summary>
internal sealed record Observation
{
    public string Phase { get; init; } = "Missing";

    public string? Node { get; init; }

    /// <summary>What the control plane has given it.</summary>
    public IReadOnlyList<ObservedShare> Shares { get; init; } = [];

    /// <summary>Whether the control plane has seen the kubelet hand over the devices.</summary>
    public bool Attached { get; init; }

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
