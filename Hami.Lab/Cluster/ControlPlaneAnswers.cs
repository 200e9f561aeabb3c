using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.Cluster;

/// <summary>A node as GraphQL shows it.</summary>
public sealed record NodeAnswer(string Name, IReadOnlyList<DeviceAnswer> Devices);

/// <summary>A card as GraphQL shows it.</summary>
public sealed record DeviceAnswer(string Uuid, int Index, string Type, long MemoryMiB, long UsedMemoryMiB, int Cores, int UsedCores, int Slots, int UsedSlots, bool Healthy)
{
    public bool IsFree => UsedMemoryMiB == 0 && UsedCores == 0 && UsedSlots == 0;
}

/// <summary>An allocation as GraphQL shows it.</summary>
public sealed record AllocationAnswer(
    string Id,
    string PodUid,
    string Namespace,
    string Pod,
    string Node,
    IReadOnlyList<ShareAnswer> Shares,
    DateTimeOffset PlacedAt,
    DateTimeOffset? BoundAt,
    DateTimeOffset? AttachedAt,
    DateTimeOffset? ReleasedAt,
    string? ReleaseReason);

/// <summary>A share as GraphQL shows it.</summary>
public sealed record ShareAnswer(string Container, string DeviceUuid, long MemoryMiB, int Cores);

/// <summary>A waiting pod as GraphQL shows it.</summary>
public sealed record PendingAnswer(string PodUid, string Namespace, string Pod, string Message, IReadOnlyList<ReasonAnswer> Reasons, DateTimeOffset RefusedAt);

/// <summary>A reason as GraphQL shows it.</summary>
public sealed record ReasonAnswer(string Reason, int Cards, IReadOnlyList<string> ExampleNodes);

/// <summary>The questions the lab and its tests ask.</summary>
public static class ControlPlaneQuestions
{
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);

    public static Task<IReadOnlyList<NodeAnswer>> NodesAsync(this ControlPlane control, CancellationToken ct) =>
        control.ListAsync<NodeAnswer>(
            "nodes(",
            "name devices { uuid index type memoryMiB usedMemoryMiB cores usedCores slots usedSlots healthy }",
            ct);

    public static Task<IReadOnlyList<AllocationAnswer>> LiveAllocationsAsync(this ControlPlane control, CancellationToken ct) =>
        control.ListAsync<AllocationAnswer>(
            "allocations(filter: { live: true }, ",
            "id podUid namespace pod node shares { container deviceUuid memoryMiB cores } placedAt boundAt attachedAt releasedAt releaseReason",
            ct);

    public static Task<IReadOnlyList<PendingAnswer>> PendingPodsAsync(this ControlPlane control, CancellationToken ct) =>
        control.ListAsync<PendingAnswer>(
            "pendingPods(",
            "podUid namespace pod message reasons { reason cards exampleNodes } refusedAt",
            ct);

    public static async Task<long> EventCountAsync(this ControlPlane control, CancellationToken ct) =>
        (await control.QueryAsync("{ eventCount }", ct))["eventCount"]!.GetValue<long>();

    /// <summary>All rows of a list, page by page.</summary>
    private static async Task<IReadOnlyList<T>> ListAsync<T>(this ControlPlane control, string field, string fields, CancellationToken ct)
    {
        var rows = new List<T>();
        string? after = null;
        do
        {
            var page = (await control.QueryAsync($"query($after: String) {{ page: {field}first: 500, after: $after) {{ items {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}", ct, new { after }))["page"]!;
            rows.AddRange(page["items"].Deserialize<List<T>>(Web) ?? []);
            after = page["pageInfo"]!["hasNextPage"]!.GetValue<bool>() ? page["pageInfo"]!["endCursor"]!.GetValue<string>() : null;
        }
        while (after is not null);
        return rows;
    }
}
