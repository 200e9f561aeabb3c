using System.Text.Json.Nodes;
using Google.Protobuf;

namespace Hami.Lab.ApiServer;

/// <summary>The one fact kubectl needs from OpenAPI v3: every kind takes the fieldValidation parameter, so that the server checks fields, not kubectl.</summary>
/// <remarks>
/// kubectl reads the parameters of the PATCH operation of a kind. The operation names no strategic-merge-patch body on purpose:
/// then <c>kubectl apply</c> makes its patch from the merge keys it was compiled with. The schemas are for <c>kubectl explain</c>.
/// </remarks>
internal static class OpenApi
{
    public static JsonObject Index()
    {
        var paths = new JsonObject();
        foreach (var version in Resources.Served.Select(r => r.Group.Length == 0 ? $"api/{r.Version}" : $"apis/{r.Group}/{r.Version}").Distinct(StringComparer.Ordinal))
            paths[version] = new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{version}?hash=1" };
        return new() { ["paths"] = paths };
    }

    public static JsonObject Document(string group, string version)
    {
        var paths = new JsonObject();
        foreach (var resource in Resources.Served.Where(r => r.Group == group && r.Version == version))
        {
            var root = group.Length == 0 ? $"/api/{version}" : $"/apis/{group}/{version}";
            var path = resource.Namespaced ? $"{root}/namespaces/{{namespace}}/{resource.Plural}/{{name}}" : $"{root}/{resource.Plural}/{{name}}";
            paths[path] = new JsonObject
            {
                ["patch"] = new JsonObject
                {
                    ["operationId"] = $"patch{resource.Kind}",
                    ["parameters"] = new JsonArray(Parameter("dryRun"), Parameter("fieldManager"), Parameter("fieldValidation")),
                    ["responses"] = new JsonObject { ["200"] = new JsonObject { ["description"] = "OK" } },
                    ["x-kubernetes-action"] = "patch",
                    ["x-kubernetes-group-version-kind"] = new JsonObject { ["group"] = group, ["version"] = version, ["kind"] = resource.Kind },
                },
            };
        }
        return new()
        {
            ["openapi"] = "3.0.0", ["info"] = new JsonObject { ["title"] = "Kubernetes", ["version"] = "1.36" }, ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = OpenApiSchemas.Of(Resources.Served.Where(r => r.Group == group && r.Version == version)) },
        };
    }

    /// <summary>The OpenAPI v2 document that kubectl before 1.24 asks for in protobuf (gnostic, openapiv2.Document); it describes no kind.</summary>
    /// <remarks>
    /// For a kind that is not described, those versions leave the check of its fields to the server, and <c>apply</c> merges lists by the keys it was compiled with.
    /// A description without the merge keys would make it replace them.
    /// </remarks>
    public static byte[] SecondVersion()
    {
        const uint swagger = 1 << 3 | 2, info = 2 << 3 | 2, title = 1 << 3 | 2, version = 2 << 3 | 2;
        using var inner = new MemoryStream();
        using (var about = new CodedOutputStream(inner))
        {
            about.WriteTag(title);
            about.WriteString("Kubernetes");
            about.WriteTag(version);
            about.WriteString("v1.36.2");
        }
        using var document = new MemoryStream();
        using (var writer = new CodedOutputStream(document))
        {
            writer.WriteTag(swagger);
            writer.WriteString("2.0");
            writer.WriteTag(info);
            writer.WriteBytes(ByteString.CopyFrom(inner.ToArray()));
        }
        return document.ToArray();
    }

    private static JsonObject Parameter(string name) => new()
    {
        ["name"] = name, ["in"] = "query", ["schema"] = new JsonObject { ["type"] = "string", ["uniqueItems"] = true },
    };
}
