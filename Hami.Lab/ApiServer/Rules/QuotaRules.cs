using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>core/v1 ResourceQuota: what may be limited and what it may be limited to.</summary>
internal sealed class QuotaRules : ResourceRules
{
    public override void PrepareCreate(JsonObject body) => body["status"] = new JsonObject();

    public override IEnumerable<Cause> Validate(JsonObject body) => QuotaChecks.Of(body);

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old)
    {
        if (!Json.Same(body.At("spec", "scopes"), old.At("spec", "scopes")))
            yield return Cause.Invalid("spec.scopes", body.At("spec", "scopes")?.DeepClone(), "field is immutable");
    }
}
