using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What clients learn before they ask for objects: versions, groups, resources, and just enough OpenAPI.</summary>
internal static class Discovery
{
    private const string Aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    private static readonly string[] StatusVerbs = ["get", "patch", "update"];

    /// <summary>Answers a path that names no object; false when it is none of these.</summary>
    public static async Task<bool> TryAnswer(HttpContext http)
    {
        var path = http.Request.Path.Value!.TrimEnd('/');
        var aggregated = http.Request.Headers.Accept.ToString().Contains("as=APIGroupDiscoveryList", StringComparison.Ordinal);
        switch (path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            case ["healthz" or "livez" or "readyz", ..]:
                await Answers.Write(http, 200, "ok"u8.ToArray(), "text/plain; charset=utf-8");
                return true;
            case ["version"]:
                await Answers.Write(http, 200, Version());
                return true;
            case ["api"] when aggregated:
                await Answers.Write(http, 200, Json.Utf8(GroupList([""])), Aggregated);
                return true;
            case ["apis"] when aggregated:
                await Answers.Write(http, 200, Json.Utf8(GroupList(Groups())), Aggregated);
                return true;
            case ["api"]:
                await Answers.Write(http, 200, new JsonObject
                {
                    ["kind"] = "APIVersions", ["versions"] = new JsonArray("v1"),
                    ["serverAddressByClientCIDRs"] = new JsonArray(new JsonObject { ["clientCIDR"] = "0.0.0.0/0", ["serverAddress"] = http.Request.Host.Value }),
                });
                return true;
            case ["apis"]:
                await Answers.Write(http, 200, new JsonObject
                {
                    ["kind"] = "APIGroupList", ["apiVersion"] = "v1", ["groups"] = new JsonArray([.. Groups().Select(g => Group(g, typed: false))]),
                });
                return true;
            case ["apis", var group] when Groups().Contains(group, StringComparer.Ordinal):
                await Answers.Write(http, 200, Group(group, typed: true));
                return true;
            case ["api", "v1"]:
                await Answers.Write(http, 200, ResourceList("", "v1"));
                return true;
            case ["apis", var group, var version] when Array.Exists(Resources.Served, r => r.Group == group && r.Version == version):
                await Answers.Write(http, 200, ResourceList(group, version));
                return true;
            case ["openapi", "v2"]:
                await Answers.Write(http, 200, OpenApi.SecondVersion(), "application/octet-stream");
                return true;
            case ["openapi", "v3"]:
                // The real one calls its JSON text/plain here; recorded.
                await Answers.Write(http, 200, Json.Utf8(OpenApi.Index()), "text/plain; charset=utf-8");
                return true;
            case ["openapi", "v3", "api", "v1"]:
                await Answers.Write(http, 200, OpenApi.Document("", "v1"));
                return true;
            case ["openapi", "v3", "apis", var group, var version] when Array.Exists(Resources.Served, r => r.Group == group && r.Version == version):
                await Answers.Write(http, 200, OpenApi.Document(group, version));
                return true;
            case [] or [""]:
                await Answers.Write(http, 200, new JsonObject { ["paths"] = new JsonArray("/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version") });
                return true;
            default:
                return false;
        }
    }

    private static IEnumerable<string> Groups() => Resources.Served.Select(r => r.Group).Where(g => g.Length > 0).Distinct(StringComparer.Ordinal);

    private static JsonObject Version() => new()
    {
        ["major"] = "1", ["minor"] = "36", ["emulationMajor"] = "1", ["emulationMinor"] = "36", ["minCompatibilityMajor"] = "1", ["minCompatibilityMinor"] = "35",
        ["gitVersion"] = "v1.36.2", ["gitCommit"] = "hami-lab", ["gitTreeState"] = "clean", ["buildDate"] = "1970-01-01T00:00:00Z",
        ["goVersion"] = "none", ["compiler"] = "none", ["platform"] = "linux/amd64",
    };

    private static JsonObject Group(string group, bool typed)
    {
        var version = new JsonObject { ["groupVersion"] = $"{group}/v1", ["version"] = "v1" };
        var described = new JsonObject { ["name"] = group, ["versions"] = new JsonArray(version), ["preferredVersion"] = version.DeepClone() };
        if (!typed)
            return described;
        described.Insert(0, "kind", "APIGroup");
        described.Insert(1, "apiVersion", "v1");
        return described;
    }

    private static JsonObject ResourceList(string group, string version)
    {
        var list = new JsonArray();
        foreach (var resource in Resources.Served.Where(r => r.Group == group && r.Version == version))
        {
            var described = new JsonObject
            {
                ["name"] = resource.Plural, ["singularName"] = resource.Singular, ["namespaced"] = resource.Namespaced, ["kind"] = resource.Kind, ["verbs"] = VerbsOf(resource),
            };
            AddNames(described, resource);
            list.Add(described);
            foreach (var sub in SubresourcesOf(resource))
            {
                var entry = new JsonObject { ["name"] = $"{resource.Plural}/{sub.Name}", ["singularName"] = "", ["namespaced"] = resource.Namespaced };
                if (sub.Version.Length > 0)
                    (entry["group"], entry["version"]) = (sub.Group, sub.Version);
                (entry["kind"], entry["verbs"]) = (sub.Kind, Json.Texts(sub.Verbs));
                list.Add(entry);
            }
        }
        var answer = new JsonObject { ["kind"] = "APIResourceList" };
        // The oldest group says no version of its own list; recorded.
        if (group.Length > 0)
            answer["apiVersion"] = "v1";
        (answer["groupVersion"], answer["resources"]) = (group.Length == 0 ? version : $"{group}/{version}", list);
        return answer;
    }

    private static JsonObject GroupList(IEnumerable<string> groups) => new()
    {
        ["kind"] = "APIGroupDiscoveryList", ["apiVersion"] = "apidiscovery.k8s.io/v2", ["metadata"] = new JsonObject(),
        ["items"] = new JsonArray([.. groups.Select(g => new JsonObject
        {
            ["metadata"] = g.Length == 0 ? new JsonObject() : new JsonObject { ["name"] = g },
            ["versions"] = new JsonArray(new JsonObject
            {
                ["version"] = "v1",
                ["resources"] = new JsonArray([.. Resources.Served.Where(r => r.Group == g).Select(Discovered)]),
                ["freshness"] = "Current",
            }),
        })]),
    };

    private static JsonObject Discovered(Resource resource)
    {
        var described = new JsonObject
        {
            ["resource"] = resource.Plural, ["responseKind"] = Kind("", "", resource.Kind), ["scope"] = resource.Namespaced ? "Namespaced" : "Cluster",
            ["singularResource"] = resource.Singular, ["verbs"] = VerbsOf(resource),
        };
        AddNames(described, resource);
        var subresources = SubresourcesOf(resource).Select(s => new JsonObject
        {
            ["subresource"] = s.Name, ["responseKind"] = Kind(s.Group, s.Version, s.Kind), ["verbs"] = Json.Texts(s.Verbs),
        }).ToArray();
        if (subresources.Length > 0)
            described["subresources"] = new JsonArray([.. subresources]);
        return described;
    }

    private static IEnumerable<Subresource> SubresourcesOf(Resource resource) =>
        resource.HasStatus ? resource.Subresources.Append(new("status", "", "", resource.Kind, StatusVerbs)) : resource.Subresources;

    private static void AddNames(JsonObject described, Resource resource)
    {
        if (resource.ShortNames.Length > 0)
            described["shortNames"] = Json.Texts(resource.ShortNames);
        if (resource.Categories.Length > 0)
            described["categories"] = Json.Texts(resource.Categories);
    }

    private static JsonObject Kind(string group, string version, string kind) => new() { ["group"] = group, ["version"] = version, ["kind"] = kind };

    // Nobody may end all namespaces at once.
    private static JsonArray VerbsOf(Resource resource) =>
        Json.Texts(ReferenceEquals(resource, Resources.Namespaces) ? [.. resource.Verbs.Where(v => v is not "deletecollection")] : resource.Verbs);
}
