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

    public IEnumerable<NpgsqlBatchCommand> Follow(object happened)
    {
        switch (happened)
        {
            case NodeEvent.AllocationPlaced e:
                var use = e.Shares.Select(s => s.DeviceUuid).Distinct()
                    .Aggregate(default(CardUse), (sum, device) => sum + CardUse.Of(e.Shares, device));
                yield return new($"insert into {Table} (pod_uid, node, namespace, memory_mib, cores) values ($1, $2, $3, $4, $5)")
                {
                    Parameters =
                    {
                        new() { Value = e.PodUid }, new() { Value = e.Node }, new() { Value = e.Namespace },
                        new() { Value = use.MemoryMiB }, new() { Value = use.Cores },
                    },
                };
                break;
            case NodeEvent.AllocationReleased e:
                yield return new($"delete from {Table} where pod_uid = $1") { Parameters = { new() { Value = e.PodUid } } };
                break;
        }
    }
}
