using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>A rule of a webhook: which calls it covers. Read once, as every write is held against every rule.</summary>
internal sealed class WebhookRule(JsonObject rule)
{
    private readonly string[] _operations = [.. rule["operations"].Texts()];
    private readonly string[] _groups = [.. rule["apiGroups"].Texts()];
    private readonly string[] _versions = [.. rule["apiVersions"].Texts()];
    private readonly (string Resource, string Subresource)[] _resources = [.. rule["resources"].Texts().Select(Parts)];
    private readonly string? _scope = rule.TextAt("scope");

    public bool Covers(AdmissionCall call) =>
        Has(_operations, call.Operation)
        && Has(_groups, call.Resource.Group)
        && Has(_versions, call.Resource.Version)
        && _scope switch { "Namespaced" => call.Namespace.Length > 0, "Cluster" => call.Namespace.Length == 0, _ => true }
        && Array.Exists(_resources, r => (r.Resource is "*" || r.Resource == call.Resource.Plural) && (r.Subresource is "*" || r.Subresource == call.Subresource));

    private static bool Has(string[] list, string value) => Array.Exists(list, t => t is "*" || t == value);

    private static (string, string) Parts(string pattern) => pattern.Split('/', 2) is [var resource, var subresource] ? (resource, subresource) : (pattern, "");
}
