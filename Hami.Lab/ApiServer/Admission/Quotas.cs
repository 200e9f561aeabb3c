using System.Globalization;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Hami.Lab.ApiServer;

/// <summary>The ResourceQuota admission plugin: a new object must fit what its namespace has left, and is charged as it is written.</summary>
/// <remarks>
/// Check, write and charge happen under one lock, the object before its charge: whoever recounts sees either too little charged and a quota that
/// has changed since it was read, or everything. So no order of creations and recounts ever lets more in than fits.
/// </remarks>
internal sealed class Quotas(ObjectStore store)
{
    private readonly Lock _lock = new();

    /// <summary>Writes the object if every quota of its namespace has room for it. Throws 403 in the server's words when one has not.</summary>
    public Stored? Create(Resource resource, JsonObject body, bool dryRun, Func<Stored?> write)
    {
        var @namespace = body.TextAt("metadata", "namespace");
        if (!resource.Namespaced || !store.List(Resources.ResourceQuotas, @namespace).Objects.Any())
            return write();
        var pod = resource == Resources.Pods ? KubernetesJson.Deserialize<V1Pod>(body.ToJsonString()) : null;
        lock (_lock)
        {
            var charges = store.List(Resources.ResourceQuotas, @namespace).Objects
                .Select(q => (Quota: q, Delta: Checked(q, resource, body, pod))).Where(c => c.Delta.Count > 0).ToArray();
            if (write() is not { } written)
                return null;
            foreach (var (quota, delta) in dryRun ? [] : charges)
                Charge(quota, delta);
            return written;
        }
    }

    /// <summary>The names under which quotas count objects of a resource.</summary>
    public static string[] CountNames(Resource resource) => resource.Group.Length == 0 ? [$"count/{resource.Plural}", resource.Plural] : [$"count/{resource.Qualified}"];

    /// <summary>A quantity as Kubernetes writes it.</summary>
    public static string Text(decimal amount) => Quantities.Canonical(amount == decimal.Truncate(amount)
        ? amount.ToString("0", CultureInfo.InvariantCulture)
        : amount.ToString("0.#########", CultureInfo.InvariantCulture));

    private static Dictionary<string, decimal> Checked(Stored quota, Resource resource, JsonObject body, V1Pod? pod)
    {
        var hard = quota.Body.MapAt("spec", "hard") ?? [];
        var name = body.TextAt("metadata", "name") ?? "";
        Dictionary<string, decimal> usage;
        if (pod is null)
        {
            usage = CountNames(resource).ToDictionary(n => n, _ => 1m, StringComparer.Ordinal);
        }
        else
        {
            if (!PodUsage.InScope(pod, KubernetesJson.Deserialize<V1ResourceQuotaSpec>(quota.Body["spec"]?.ToJsonString() ?? "{}")))
                return [];
            usage = PodUsage.Of(pod);
            if (PodUsage.Missing(pod, hard.Select(h => h.Key)) is { } missing)
                throw KubernetesError.Forbidden(resource, name, $"failed quota: {quota.Name}: {missing}");
        }
        var delta = usage.Where(u => hard.ContainsKey(u.Key) && u.Value > 0).ToDictionary(StringComparer.Ordinal);
        if (delta.Count == 0)
            return delta;
        var (known, used) = (quota.Body.MapAt("status", "hard"), quota.Body.MapAt("status", "used"));
        if (delta.Keys.Where(k => known?.ContainsKey(k) is not true || used?.ContainsKey(k) is not true).Order(StringComparer.Ordinal).ToArray() is { Length: > 0 } unknown)
            throw KubernetesError.Forbidden(resource, name, $"status unknown for quota: {quota.Name}, resources: {string.Join(',', unknown)}");
        var exceeded = delta.Keys.Where(k => Amount(used!, k) + delta[k] > Amount(known!, k)).Order(StringComparer.Ordinal).ToArray();
        if (exceeded.Length > 0)
        {
            string Listed(Func<string, string> value) => string.Join(',', exceeded.Select(k => $"{k}={value(k)}"));
            throw KubernetesError.Forbidden(resource, name,
                $"exceeded quota: {quota.Name}, requested: {Listed(k => Text(delta[k]))}, used: {Listed(k => used.TextAt(k)!)}, limited: {Listed(k => known.TextAt(k)!)}");
        }
        return delta;
    }

    private void Charge(Stored quota, Dictionary<string, decimal> delta)
    {
        for (Stored? now = quota; now is not null; now = store.Find(Resources.ResourceQuotas, quota.Namespace, quota.Name))
        {
            var body = Json.Copy(now.Body);
            var used = body.Child("status").Child("used");
            foreach (var (name, amount) in delta)
                used[name] = Text(Amount(used, name) + amount);
            if (store.TryWrite(Resources.ResourceQuotas, body, now, dryRun: false) is not null)
                return;
        }
    }

    private static decimal Amount(JsonObject amounts, string name) => amounts.TextAt(name) is { } text ? Quantities.Amount(text) : 0;
}
