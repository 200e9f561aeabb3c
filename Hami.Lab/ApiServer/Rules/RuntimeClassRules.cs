using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>node.k8s.io/v1 RuntimeClass: the handler is a name the runtime knows, for ever.</summary>
internal sealed class RuntimeClassRules : ResourceRules
{
    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var causes = new Causes();
        causes.Invalid("handler", body.TextAt("handler") ?? "", Formats.Label(body.TextAt("handler") ?? ""));
        if (body.MapAt("overhead", "podFixed") is { } overhead)
            ResourceChecks.CheckAmounts(overhead, "overhead.limits", causes);
        causes.Labels(body.MapAt("scheduling", "nodeSelector"), "scheduling.nodeSelector");
        TolerationChecks.Check(body.At("scheduling", "tolerations"), "scheduling.tolerations.tolerations", causes);
        return causes.Found;
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) =>
        body.TextAt("handler") == old.TextAt("handler") ? [] : [Cause.Invalid("handler", body.TextAt("handler") ?? "", Formats.Immutable)];
}
