using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>core/v1 Node: a kubelet registers it together with its status.</summary>
internal sealed class NodeRules : ResourceRules
{
    public override void Default(JsonObject body)
    {
        body.Child("spec");
        var status = body.Child("status");
        // SetDefaults_NodeStatus: what can be allocated is all there is, until the kubelet says otherwise.
        if (status["capacity"] is JsonObject { Count: > 0 } capacity)
            status.SetIfMissing("allocatable", capacity.DeepClone());
    }

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var causes = new Causes();
        // A real server names the taints in this place, though they stand in the spec.
        TolerationChecks.CheckTaints(body.At("spec", "taints"), "metadata.taints", causes);
        foreach (var amounts in (string[])["capacity", "allocatable"])
        {
            foreach (var (name, value) in body.MapAt("status", amounts) ?? [])
                ResourceChecks.CheckValue(name, value.Text(), $"status.{amounts}.{name}", causes);
        }
        return causes.Found;
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old)
    {
        var causes = new Causes();
        var addresses = new HashSet<(string?, string?)>();
        foreach (var (address, at) in body.At("status", "addresses").Numbered("status.addresses"))
        {
            if (!addresses.Add((address.TextAt("type"), address.TextAt("address"))))
                causes.Duplicate(at, new JsonObject { ["Type"] = address.TextAt("type"), ["Address"] = address.TextAt("address") });
        }
        if (old.At("spec", "podCIDRs") is JsonArray { Count: > 0 } ranges && !Json.Same(ranges, body.At("spec", "podCIDRs")))
            causes.Forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
        if (old.TextAt("spec", "providerID") is { Length: > 0 } provider && provider != body.TextAt("spec", "providerID"))
            causes.Forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid");
        return causes.Found;
    }
}
