using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Schemas for <c>kubectl explain</c>, read off the same shapes the decoder goes by: names and types, without the prose.</summary>
internal static class OpenApiSchemas
{
    private const string Prefix = "#/components/schemas/";

    // What the shapes do not tell and a person asks first.
    private static readonly Dictionary<string, string[]> Required = new(StringComparer.Ordinal)
    {
        ["V1PodSpec"] = ["containers"], ["V1Container"] = ["name"], ["V1DeploymentSpec"] = ["selector", "template"], ["V1ReplicaSetSpec"] = ["selector"], ["V1JobSpec"] = ["template"],
        ["V1PriorityClass"] = ["value"], ["V1RuntimeClass"] = ["handler"], ["V1Binding"] = ["target"], ["V1RoleBinding"] = ["roleRef"], ["V1ClusterRoleBinding"] = ["roleRef"],
    };

    public static JsonObject Of(IEnumerable<Resource> resources)
    {
        var schemas = new JsonObject();
        foreach (var resource in resources)
        {
            var name = Add(schemas, resource.Shape);
            ((JsonObject)schemas[name]!)["x-kubernetes-group-version-kind"] =
                new JsonArray(new JsonObject { ["group"] = resource.Group, ["version"] = resource.Version, ["kind"] = resource.Kind });
        }
        return schemas;
    }

    private static string Add(JsonObject schemas, Shape shape)
    {
        // kubectl prints the last part of the name.
        var name = $"io.k8s.api.{shape.GoName}";
        if (schemas.ContainsKey(name))
            return name;
        var properties = new JsonObject();
        var schema = new JsonObject { ["type"] = "object", ["description"] = $"{shape.GoName.Split('.')[^1]}: its meaning is told by the Kubernetes API reference." };
        // Before its fields: some shapes hold themselves.
        schemas[name] = schema;
        foreach (var (field, inner) in shape.Fields)
            properties[field] = Describe(schemas, inner);
        schema["properties"] = properties;
        if (Required.TryGetValue(shape.TypeName, out var required))
            schema["required"] = Json.Texts(required);
        return name;
    }

    private static JsonObject Describe(JsonObject schemas, Shape shape)
    {
        var described = shape.Form switch
        {
            Form.Text or Form.Bytes or Form.Quantity => new JsonObject { ["type"] = "string" },
            Form.Time => new JsonObject { ["type"] = "string", ["format"] = "date-time" },
            Form.Whole => new JsonObject { ["type"] = "integer", ["format"] = shape.GoName },
            Form.Fraction => new JsonObject { ["type"] = "number" },
            Form.Flag => new JsonObject { ["type"] = "boolean" },
            Form.WholeOrText => new JsonObject { ["type"] = "string", ["format"] = "int-or-string" },
            Form.List => new JsonObject { ["type"] = "array", ["items"] = Describe(schemas, shape.Item) },
            Form.Map => new JsonObject { ["type"] = "object", ["additionalProperties"] = Describe(schemas, shape.Item) },
            Form.Object => new JsonObject { ["allOf"] = new JsonArray(new JsonObject { ["$ref"] = Prefix + Add(schemas, shape) }) },
            _ => new JsonObject { ["type"] = "object" },
        };
        described["description"] = "";
        return described;
    }
}
