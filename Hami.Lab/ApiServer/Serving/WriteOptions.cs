using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What a client asks for beside the object itself, from the query and (for DELETE) the body.</summary>
internal sealed record WriteOptions(string Kind, bool DryRun, string FieldManager, string FieldValidation)
{
    /// <summary>Texts for <c>Warning</c> headers.</summary>
    public List<string> Warnings { get; } = [];

    public static WriteOptions From(IQueryCollection query, string kind) =>
        new(kind, query["dryRun"].Contains("All", StringComparer.Ordinal), query["fieldManager"].ToString(), query["fieldValidation"].ToString());

    /// <summary>The options object as webhooks see it.</summary>
    public JsonObject ToObject()
    {
        var options = new JsonObject { ["kind"] = Kind, ["apiVersion"] = "meta.k8s.io/v1" };
        if (DryRun)
            options["dryRun"] = new JsonArray("All");
        if (FieldManager.Length > 0)
            options["fieldManager"] = FieldManager;
        if (FieldValidation.Length > 0)
            options["fieldValidation"] = FieldValidation;
        return options;
    }
}
