using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Lab.Cluster;

namespace Hami.Lab.Demo;

/// <summary>The one document that <c>hami demo --json</c> prints.</summary>
internal sealed record DemoReport(bool Ok, double Seconds, IReadOnlyList<WorkloadReport> Workloads, long EventCount)
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // it goes to a file or a terminal, not into HTML
    };

    /// <summary>What went wrong outside any one workload; null when nothing did.</summary>
    public string? Reason { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, Format);
}

/// <summary>One workload in the report.</summary>
internal sealed record WorkloadReport(string Name, bool Ok, string Status, string Expected)
{
    public string? Phase { get; init; }

    public string? Node { get; init; }

    public IReadOnlyList<DeviceReport> Devices { get; init; } = [];

    /// <summary>The MIG instances among them, as nvidia-smi lists them inside; null where there are none.</summary>
    public IReadOnlyList<InstanceReport>? Instances { get; init; }

    public IReadOnlyList<long> SeenMemoryMiB { get; init; } = [];

    public string? BeyondLimit { get; init; }

    /// <summary>Why it stays Pending, where it is meant to.</summary>
    public string? Explanation { get; init; }

    /// <summary>What is not as expected.</summary>
    public string? Reason { get; init; }

    public static WorkloadReport Of(Workload workload, Observation seen, IReadOnlyList<LabNode> nodes)
    {
        var complaints = WorkloadCheck.Complaints(workload, seen, nodes);
        var ok = complaints.Count == 0;
        return new(workload.Name, ok, ok ? "ok" : "failed", workload.Expected)
        {
            Phase = seen.Phase,
            Node = seen.Node,
            Devices = [.. seen.Shares.Select(share => new DeviceReport(share.DeviceUuid, share.MemoryMiB, share.Cores))],
            Instances = seen.Listed.Count == 0 ? null : [.. seen.Listed.Select(listed => new InstanceReport(listed.Instance, listed.Profile))],
            SeenMemoryMiB = [.. seen.Probes.Select(probe => probe.TotalMiB)],
            // One word when every card answered the same, which is what we hope for.
            BeyondLimit = seen.Probes.Count == 0 ? null : string.Join(", ", seen.Probes.Select(probe => probe.Beyond).Distinct(StringComparer.Ordinal)),
            Explanation = workload.Outcome is Outcome.StaysPending ? seen.Condition : null,
            Reason = ok ? null : string.Join(' ', complaints),
        };
    }
}

internal sealed record DeviceReport(string Uuid, long MemoryMiB, int Cores);

internal sealed record InstanceReport(string Uuid, string Profile);
