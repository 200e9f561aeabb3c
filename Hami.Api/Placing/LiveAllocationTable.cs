using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Npgsql;

namespace Hami.Api.Placing;

/// <summary>
/// One row per pod that holds something. Its primary key makes "a pod has at most one live allocation" a constraint of the
/// database, whatever replica or retry asks.
/// </summary>
internal sealed class LiveAllocationTable : ICompanionTable
{
    private const string Table = $"{MartenSetup.Schema}.live_allocation";

    public string Create => $"""
        create table if not exists {Table} (
            pod_uid text primary key,
            node text not null,
            namespace text not null,
            memory_mib bigint not null,
            cores integer not null);
        create index if not exists live_allocation_namespace on {Table} (namespace);
        """;

    public IEnumerable<NpgsqlBatchCommand> Follow(ClusterLedger before, ClusterLedger after, IEnumerable<object> happened)
    {
        var pods = happened.Select(PodOf).OfType<string>().ToHashSet(StringComparer.Ordinal);
        string[] gone = [.. pods.Where(before.LiveByPod.ContainsKey)];
        if (gone.Length > 0)
            yield return new($"delete from {Table} where pod_uid = any($1)") { Parameters = { new() { Value = gone } } };
        List<(string Node, Allocation Held)> there = [.. pods.Where(after.LiveByPod.ContainsKey).Select(pod => (after.LiveByPod[pod].Node, after.AllocationOf(pod)!))];
        if (there.Count > 0)
        {
            yield return new($"insert into {Table} (pod_uid, node, namespace, memory_mib, cores) select * from unnest($1, $2, $3, $4, $5)")
            {
                Parameters =
                {
                    new() { Value = there.Select(t => t.Held.PodUid).ToArray() },
                    new() { Value = there.Select(t => t.Node).ToArray() },
                    new() { Value = there.Select(t => t.Held.Namespace).ToArray() },
                    new() { Value = there.Select(t => t.Held.Use.MemoryMiB).ToArray() },
                    new() { Value = there.Select(t => (int)t.Held.Use.Cores).ToArray() },
                },
            };
        }
    }

    /// <summary>The pod that holds something else from this event on; null for another event.</summary>
    private static string? PodOf(object happened) => happened switch
    {
        NodeEvent.AllocationPlaced e => e.PodUid,
        NodeEvent.AllocationAdopted e => e.PodUid,
        NodeEvent.AllocationShrunk e => e.PodUid,
        NodeEvent.AllocationReleased e => e.PodUid,
        _ => null,
    };
}
