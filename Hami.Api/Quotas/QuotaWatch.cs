using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Domain.Quotas;
using k8s;
using k8s.Models;

namespace Hami.Api.Quotas;

/// <summary>Follows what the cluster's ResourceQuotas say about accelerators.</summary>
internal sealed partial class QuotaWatch(
    IKubernetes kubernetes, Journal journal, Readiness readiness, NvidiaConfig nvidia, FollowedLog log, TimeProvider time, ILogger<QuotaWatch> logger)
    : ListWatch<V1ResourceQuota>(log, time, logger)
{
    // A quota's status moves with every pod of its namespace; what it limits seldom does.
    private readonly Dictionary<(string Namespace, string Name), NamespaceQuota?> _recorded = [];

    protected override async Task<(IList<V1ResourceQuota> Items, string ResourceVersion)> ListAsync(CancellationToken cancellationToken)
    {
        await journal.Loaded.WaitAsync(cancellationToken);
        var list = await kubernetes.CoreV1.ListResourceQuotaForAllNamespacesAsync(cancellationToken: cancellationToken);
        return (list.Items, list.ResourceVersion());
    }

    protected override IAsyncEnumerable<(WatchEventType Type, V1ResourceQuota Object)> WatchAsync(string resourceVersion, CancellationToken cancellationToken) =>
        WatchStream.Of<V1ResourceQuota>(kubernetes, "api/v1/resourcequotas", resourceVersion, cancellationToken);

    protected override async Task ListedAsync(IList<V1ResourceQuota> items, CancellationToken cancellationToken)
    {
        _recorded.Clear();
        var quotas = items.Select(q => (Id: Id(q), Quota: Read(q))).ToList();
        foreach (var @namespace in quotas.Select(q => q.Id.Namespace).Concat(journal.Ledger.Quotas.Keys).ToHashSet(StringComparer.Ordinal))
        {
            var all = new ObserveQuotas(@namespace, [.. quotas.Where(q => q.Id.Namespace == @namespace).Select(q => q.Quota).OfType<NamespaceQuota>()]);
            await journal.DecideAsync(Streams.Quota(@namespace), ledger => ObserveQuotaDecider.Decide(all, ledger), cancellationToken);
        }
        foreach (var (id, quota) in quotas)
            _recorded[id] = quota;
        readiness.QuotasListed();
    }

    protected override async Task ChangedAsync(WatchEventType type, V1ResourceQuota item, CancellationToken cancellationToken)
    {
        var id = Id(item);
        var quota = type is WatchEventType.Deleted ? null : Read(item);
        if (_recorded.GetValueOrDefault(id) == quota)
            return;
        await journal.DecideAsync(
            Streams.Quota(id.Namespace), ledger => ObserveQuotaDecider.Decide(new ObserveQuota(id.Namespace, id.Name, quota), ledger), cancellationToken);
        if (quota is null)
            _recorded.Remove(id);
        else
            _recorded[id] = quota;
    }

    private static (string Namespace, string Name) Id(V1ResourceQuota quota) => (quota.Namespace(), quota.Name());

    private NamespaceQuota? Read(V1ResourceQuota quota)
    {
        var hard = new Dictionary<string, decimal?>(StringComparer.Ordinal);
        foreach (var (key, value) in quota.Spec?.Hard ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            hard[key] = Quantity.TryParse(value.ToString(), out var number) ? number : null;
        var (read, faults) = ReadQuota.Of(new(quota.Namespace(), quota.Name(), hard), nvidia);
        // Said again only when the quota says something new.
        if (_recorded.GetValueOrDefault(Id(quota)) != read)
        {
            foreach (var fault in faults)
                LogFault(logger, fault);
        }
        return read;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Fault}")]
    private static partial void LogFault(ILogger logger, string fault);
}
