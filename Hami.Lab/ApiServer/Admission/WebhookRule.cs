using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Whether a webhook wants to hear of a call: its rules and its two selectors.</summary>
internal static class WebhookRule
{
    public static bool Wants(JsonObject webhook, AdmissionCall call, JsonObject? namespaceLabels) =>
        webhook["rules"].Objects().Any(r => Covers(r, call))
        && (call.Namespace.Length == 0 || Selector.MatchesLabels(webhook["namespaceSelector"], namespaceLabels))
        // An update is looked at if the object matches before or after it.
        && (Selector.MatchesLabels(webhook["objectSelector"], call.Object.MapAt("metadata", "labels"))
            || (call.OldObject is { } old && Selector.MatchesLabels(webhook["objectSelector"], old.MapAt("metadata", "labels"))));

    private static bool Covers(JsonObject rule, AdmissionCall call) =>
        Has(rule, "operations", call.Operation)
        && Has(rule, "apiGroups", call.Resource.Group)
        && Has(rule, "apiVersions", call.Resource.Version)
        && rule.TextAt("scope") switch { "Namespaced" => call.Namespace.Length > 0, "Cluster" => call.Namespace.Length == 0, _ => true }
        && rule["resources"].Texts().Any(r => CoversResource(r, call));

    private static bool Has(JsonObject rule, string list, string value) =>
        rule[list].Texts().Any(t => t is "*" || t == value);

    private static bool CoversResource(string pattern, AdmissionCall call)
    {
        var parts = pattern.Split('/', 2);
        var subresource = parts.Length > 1 ? parts[1] : "";
        return (parts[0] is "*" || parts[0] == call.Resource.Plural) && (subresource is "*" || subresource == call.Subresource);
    }
}
