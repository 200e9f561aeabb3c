using Hami.Domain.Ledger;

namespace Hami.Domain.Quotas;

/// <summary>A ResourceQuota of a namespace limits accelerators so; null when it does not, or is gone.</summary>
public sealed record ObserveQuota(string Namespace, string Name, NamespaceQuota? Quota);

/// <summary>These are all of a namespace's ResourceQuotas that limit accelerators.</summary>
public sealed record ObserveQuotas(string Namespace, IReadOnlyList<NamespaceQuota> Quotas);

public static class ObserveQuotaDecider
{
    public static Verdict<QuotaEvent> Decide(ObserveQuota command, ClusterLedger cluster)
    {
        var others = Known(command.Namespace, cluster).Where(q => q.Name != command.Name);
        return Decide(new ObserveQuotas(command.Namespace, [.. command.Quota is { } quota ? others.Append(quota) : others]), cluster);
    }

    public static Verdict<QuotaEvent> Decide(ObserveQuotas command, ClusterLedger cluster)
    {
        List<NamespaceQuota> quotas = [.. command.Quotas.OrderBy(q => q.Name, StringComparer.Ordinal)];
        return quotas.SequenceEqual(Known(command.Namespace, cluster))
            ? Verdict<QuotaEvent>.Nothing
            : new QuotaEvent.QuotaChanged(command.Namespace, quotas);
    }

    private static IReadOnlyList<NamespaceQuota> Known(string @namespace, ClusterLedger cluster) => cluster.Quotas.GetValueOrDefault(@namespace, []);
}
