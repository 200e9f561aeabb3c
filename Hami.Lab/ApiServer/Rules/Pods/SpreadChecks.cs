using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>How a pod is spread over nodes and zones.</summary>
internal static class SpreadChecks
{
    public static void Check(JsonNode? constraints, string at, Causes causes)
    {
        var all = constraints.Objects().ToArray();
        for (var i = 0; i < all.Length; i++)
        {
            var (constraint, here) = (all[i], $"{at}[{i}]");
            var (topology, action) = (constraint.TextAt("topologyKey") ?? "", constraint.TextAt("whenUnsatisfiable") ?? "");
            if ((constraint.NumberAt("maxSkew") ?? 0) is <= 0 and var skew)
                causes.Invalid($"{here}.maxSkew", skew, Formats.NotPositive);
            if (topology.Length == 0)
                causes.Required($"{here}.topologyKey", "can not be empty");
            if (action is not ("DoNotSchedule" or "ScheduleAnyway"))
                causes.Unsupported($"{here}.whenUnsatisfiable", action, "DoNotSchedule", "ScheduleAnyway");
            if (all.Skip(i + 1).Any(c => c.TextAt("topologyKey") == constraint.TextAt("topologyKey") && c.TextAt("whenUnsatisfiable") == constraint.TextAt("whenUnsatisfiable")))
                causes.Duplicate($"{here}.{{topologyKey, whenUnsatisfiable}}", $"{{{topology}, {action}}}");
            CheckDomains(constraint, here, action, causes);
            causes.OneOf(constraint, "nodeAffinityPolicy", here, "Honor", "Ignore");
            causes.OneOf(constraint, "nodeTaintsPolicy", here, "Honor", "Ignore");
            CheckKeys(constraint, here, causes);
            causes.Selector(constraint.MapAt("labelSelector"), $"{here}.labelSelector");
        }
    }

    private static void CheckDomains(JsonObject constraint, string at, string action, Causes causes)
    {
        if (constraint.NumberAt("minDomains") is not { } domains)
            return;
        if (domains <= 0)
            causes.Invalid($"{at}.minDomains", domains, Formats.NotPositive);
        if (action is not "DoNotSchedule")
            causes.Invalid($"{at}.minDomains", domains, $"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
    }

    private static void CheckKeys(JsonObject constraint, string at, Causes causes)
    {
        var keys = constraint["matchLabelKeys"].Texts().ToArray();
        if (keys.Length > 0 && constraint["labelSelector"] is null)
            causes.Forbidden($"{at}.matchLabelKeys", "must not be specified when labelSelector is not set");
        var selected = (constraint.MapAt("labelSelector", "matchLabels") ?? []).Select(l => l.Key)
            .Concat(constraint.At("labelSelector", "matchExpressions").Objects().Select(e => e.TextAt("key") ?? "")).ToHashSet(StringComparer.Ordinal);
        for (var i = 0; i < keys.Length; i++)
        {
            causes.Invalid($"{at}.matchLabelKeys[{i}]", keys[i], Formats.QualifiedName(keys[i]));
            if (selected.Contains(keys[i]))
                causes.Invalid($"{at}.matchLabelKeys[{i}]", keys[i], "exists in both matchLabelKeys and labelSelector");
        }
    }
}
