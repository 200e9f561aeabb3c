using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>scheduling.k8s.io/v1 PriorityClass.</summary>
internal sealed class PriorityClassRules : ResourceRules
{
    private const long HighestOfUsers = 1_000_000_000;
    private const string Reserved = "system-";

    /// <summary>The two classes every cluster has (scheduling/v1 SystemPriorityClasses).</summary>
    public static readonly (string Name, int Value, string Description)[] OfTheSystem =
    [
        ("system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current node."),
        ("system-cluster-critical", 2_000_000_000, "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."),
    ];

    // Go writes the value even where it is zero.
    public override void Default(JsonObject body)
    {
        body.SetIfMissing("value", 0);
        body.SetIfMissing("preemptionPolicy", "PreemptLowerPriority");
    }

    public override void Review(JsonObject body, ObjectStore store)
    {
        var name = body.TextAt("metadata", "name") ?? "";
        if (body.FlagAt("globalDefault") && store.List(Resources.PriorityClasses).Objects.FirstOrDefault(c => c.Body.FlagAt("globalDefault") && c.Name != name) is { } other)
            throw KubernetesError.Forbidden(Resources.PriorityClasses, name, $"PriorityClass {other.Name} is already marked as default. Only one default can exist");
    }

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var (name, value) = (body.TextAt("metadata", "name") ?? "", body.NumberAt("value") ?? 0);
        if (name.StartsWith(Reserved, StringComparison.Ordinal))
        {
            if (!Array.Exists(OfTheSystem, s => s.Name == name && s.Value == value))
                yield return Cause.Forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for system use only. error: ");
        }
        else if (value > HighestOfUsers)
        {
            yield return Cause.Forbidden("value", $"maximum allowed value of a user defined priority is {HighestOfUsers}");
        }
        if (body.TextAt("preemptionPolicy") is { } policy and not ("PreemptLowerPriority" or "Never"))
            yield return Cause.Unsupported("preemptionPolicy", policy, "Never", "PreemptLowerPriority");
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old)
    {
        if (body.NumberAt("value") != old.NumberAt("value"))
            yield return Cause.Forbidden("value", "may not be changed in an update.");
        if (body.TextAt("preemptionPolicy") != old.TextAt("preemptionPolicy"))
            yield return Cause.Invalid("preemptionPolicy", body["preemptionPolicy"], "field is immutable");
    }
}
