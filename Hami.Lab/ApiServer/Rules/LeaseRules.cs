using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>coordination.k8s.io/v1 Lease.</summary>
internal sealed class LeaseRules : ResourceRules
{
    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var causes = new Causes();
        var spec = body.MapAt("spec");
        if (spec.NumberAt("leaseDurationSeconds") is <= 0 and var seconds)
            causes.Invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
        if (spec.NumberAt("leaseTransitions") is < 0 and var transitions)
            causes.Invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0");
        if (spec.TextAt("strategy") is { Length: > 0 } strategy and not "OldestEmulationVersion" && !strategy.Contains('/', StringComparison.Ordinal))
            causes.Unsupported("spec.strategy.strategy", strategy, "OldestEmulationVersion");
        if (!string.IsNullOrEmpty(spec.TextAt("preferredHolder")) && string.IsNullOrEmpty(spec.TextAt("strategy")))
            causes.Forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined");
        return causes.Found;
    }
}
