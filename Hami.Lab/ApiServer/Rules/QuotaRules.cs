using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>core/v1 ResourceQuota: what may be limited and what it may be limited to.</summary>
internal sealed class QuotaRules : ResourceRules
{
    private static readonly HashSet<string> Known = new(StringComparer.Ordinal)
    {
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers", "requests.storage",
    };

    public override void PrepareCreate(JsonObject body) => body["status"] = new JsonObject();

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        foreach (var (name, value) in body.MapAt("spec", "hard") ?? [])
        {
            var at = $"spec.hard[{name}]";
            if (!name.Contains('/', StringComparison.Ordinal) && !Known.Contains(name) && !name.Contains("hugepages-", StringComparison.Ordinal))
                yield return Cause.Invalid(at, name, "must be a standard resource for quota");
            var amount = Quantities.Amount(value!.GetValue<string>());
            if (amount < 0)
                yield return Cause.Invalid(at, value.DeepClone(), "must be greater than or equal to 0");
            if (amount != decimal.Truncate(amount) && (Known.Contains(name) ? name is "pods" or "configmaps" or "secrets" : true))
                yield return Cause.Invalid(at, value.DeepClone(), "must be an integer");
        }
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old)
    {
        if (!Json.Same(body.At("spec", "scopes"), old.At("spec", "scopes")))
            yield return Cause.Invalid("spec.scopes", body.At("spec", "scopes")?.DeepClone(), "field is immutable");
    }
}
