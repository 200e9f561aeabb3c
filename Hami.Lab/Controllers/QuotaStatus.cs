using Hami.Lab.ApiServer;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Keeps each quota's status true: what it allows, and what its namespace uses now.</summary>
internal sealed class QuotaStatus
{
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Resync = TimeSpan.FromMinutes(5);
    private readonly IKubernetes _kubernetes;
    private readonly Informer<V1ResourceQuota> _quotas;

    public QuotaStatus(LabControllersOptions options, Informer<V1ResourceQuota> quotas, Informer<V1Pod> pods)
    {
        (_kubernetes, _quotas) = (options.Kubernetes, quotas);
        Queue = new(options.Time);
        quotas.OnChange(c =>
        {
            if (c.Now is { } now)
                Queue.Add(Informer<V1ResourceQuota>.Key(now));
        });
        // A pod gives back what it had when it has ended; a new one may have come while usage was counted.
        pods.OnChange(c =>
        {
            if (c.Now is { } now && (c.Before is null || (now.IsFinished() && !c.Before.IsFinished())))
                Recount(now.Namespace());
        });
    }

    public WorkQueue Queue { get; }

    /// <summary>An object of any kind is gone: it may have been counted.</summary>
    public void Recount(string? @namespace)
    {
        foreach (var quota in _quotas.All.Where(q => q.Namespace() == @namespace))
            Queue.AddAfter(Informer<V1ResourceQuota>.Key(quota), Gather);
    }

    public async Task Look(string key, CancellationToken cancellationToken)
    {
        if (_quotas.Find(key) is not { } known)
            return;
        try
        {
            // The quota first: what is charged after this read makes the write below fail, and it is counted again.
            var quota = await _kubernetes.CoreV1.ReadNamespacedResourceQuotaAsync(known.Name(), known.Namespace(), cancellationToken: cancellationToken);
            var hard = quota.Spec.Hard ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal);
            var used = await Used(quota, hard.Keys, cancellationToken);
            if (!Same(quota.Status?.Hard, hard) || !Same(quota.Status?.Used, used))
            {
                quota.Status = new() { Hard = hard, Used = used };
                await _kubernetes.CoreV1.ReplaceNamespacedResourceQuotaStatusAsync(quota, quota.Name(), quota.Namespace(), cancellationToken: cancellationToken);
            }
        }
        catch (HttpOperationException e) when (e.IsNotFound())
        {
            return;
        }
        Queue.AddAfter(key, Resync);
    }

    private async Task<Dictionary<string, ResourceQuantity>> Used(V1ResourceQuota quota, ICollection<string> limited, CancellationToken cancellationToken)
    {
        var sum = new Dictionary<string, decimal>(StringComparer.Ordinal);
        if (limited.Any(PodUsage.Counts))
        {
            foreach (var name in limited.Where(PodUsage.Counts))
                sum[name] = 0;
            var pods = await _kubernetes.CoreV1.ListNamespacedPodAsync(quota.Namespace(), cancellationToken: cancellationToken);
            foreach (var (name, amount) in pods.Items.Where(p => PodUsage.InScope(p, quota.Spec)).SelectMany(PodUsage.Of).Where(u => sum.ContainsKey(u.Key)))
                sum[name] += amount;
        }
        foreach (var resource in Resources.All.Where(r => r.Namespaced && r.StoredAs is null && r != Resources.Pods))
        {
            var names = Quotas.CountNames(resource).Where(limited.Contains).ToArray();
            if (names.Length == 0)
                continue;
            using var client = new GenericClient(_kubernetes, resource.Group, resource.Version, resource.Plural, disposeClient: false);
            var count = (await client.ListNamespacedAsync<ThingList>(quota.Namespace(), cancel: cancellationToken)).Items.Count;
            foreach (var name in names)
                sum[name] = count;
        }
        return sum.ToDictionary(s => s.Key, s => new ResourceQuantity(Quotas.Text(s.Value)), StringComparer.Ordinal);
    }

    private static bool Same(IDictionary<string, ResourceQuantity>? left, IDictionary<string, ResourceQuantity> right) =>
        (left?.Count ?? 0) == right.Count && right.All(r => left!.TryGetValue(r.Key, out var value) && value.ToDecimal() == r.Value.ToDecimal());
}
