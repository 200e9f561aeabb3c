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
        foreach (var (name, value) in body.MapAt("status", "capacity") ?? [])
        {
            if (Quantities.Amount(value!.GetValue<string>()) < 0)
                yield return Cause.Invalid($"status.capacity.{name}", value, "must be greater than or equal to 0");
        }
    }
}
