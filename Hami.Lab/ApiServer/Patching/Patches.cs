using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The patch of a request as a function from the object that is there to the object that shall be there.</summary>
internal static class Patches
{
    private const string JsonType = "application/json-patch+json";
    private const string MergeType = "application/merge-patch+json";
    private const string StrategicType = "application/strategic-merge-patch+json";

    public static Func<JsonObject, JsonObject> Of(string? contentType, ReadOnlyMemory<byte> body)
    {
        switch (contentType?.Split(';')[0].Trim())
        {
            case JsonType:
                var operations = Intake.Parse(body) as JsonArray ?? throw KubernetesError.BadRequest("error decoding patch: the patch is no list of operations");
                return current => Try(() => JsonPatch.Apply(current, operations));
            case MergeType:
                var merge = Intake.Object(body);
                return current =>
                {
                    MergePatch.Apply(current, merge);
                    return current;
                };
            case StrategicType:
                var strategic = Intake.Object(body);
                return current => Try(() => StrategicMergePatch.Apply(current, strategic));
            // Server-side apply included: it needs field ownership, which the lab does not keep.
            default:
                throw KubernetesError.UnsupportedMediaType(string.Join(", ", JsonType, MergeType, StrategicType));
        }
    }

    private static JsonObject Try(Func<JsonObject> apply)
    {
        try
        {
            return apply();
        }
        catch (FormatException e)
        {
            throw KubernetesError.Unprocessable(e.Message);
        }
    }
}
