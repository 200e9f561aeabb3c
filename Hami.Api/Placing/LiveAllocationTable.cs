using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
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

    public IEnumerable<NpgsqlBatchCommand> Follow(ClusterLedger before, object happened)
    {
        switch (happened)
        {
            case NodeEvent.AllocationPlaced e:
                yield return Insert(e.PodUid, e.Node, e.Namespace, CardUse.Sum(e.Shares));
                break;
            case NodeEvent.AllocationAdopted e:
                yield return Insert(e.PodUid, e.Node, e.Namespace, CardUse.Sum(e.Shares));
                break;
            case NodeEvent.AllocationShrunk e when before.AllocationOf(e.PodUid) is { } allocation:
                var use = (allocation with { InitsEnded = true }).Use;
                yield return new($"update {Table} set memory_mib = $2, cores = $3 where pod_uid = $1")
                {
                    Parameters = { new() { Value = e.PodUid }, new() { Value = use.MemoryMiB }, new() { Value = (int)use.Cores } },
                };
                break;
            case NodeEvent.AllocationReleased e:
                yield return new($"delete from {Table} where pod_uid = $1") { Parameters = { new() { Value = e.PodUid } } };
                break;
        }
    }

    private static NpgsqlBatchCommand Insert(string podUid, string node, string @namespace, QuotaUse use) =>
        new($"insert into {Table} (pod_uid, node, namespace, memory_mib, cores) values ($1, $2, $3, $4, $5)")
        {
            Parameters =
            {
                new() { Value = podUid }, new() { Value = node }, new() { Value = @namespace },
                new() { Value = use.MemoryMiB }, new() { Value = (int)use.Cores },
            },
        };
}
