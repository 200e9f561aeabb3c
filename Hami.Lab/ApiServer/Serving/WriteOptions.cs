using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What a client asks for beside the object itself, from the query and (for DELETE) the body.</summary>
internal sealed record WriteOptions(string Kind, bool DryRun, string FieldManager, string FieldValidation)
{
    private static readonly string[] FieldValidations = ["", "Ignore", "Strict", "Warn"];

    /// <summary>Texts for <c>Warning</c> headers.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>Paths of names that came twice in the body.</summary>
    public List<string> Duplicates { get; } = [];

    /// <summary>Throws 422 for a value no server knows.</summary>
    public static WriteOptions From(IQueryCollection query, string kind)
    {
        var (dry, validation) = (query["dryRun"], query["fieldValidation"].ToString());
        var causes = new List<Cause>();
        if (dry.Count > 0 && !dry.All(d => d is "All"))
            causes.Add(Cause.Unsupported("dryRun", string.Join(',', dry.ToArray()), "All"));
        if (!FieldValidations.Contains(validation, StringComparer.Ordinal))
            causes.Add(Cause.Unsupported("fieldValidation", validation, FieldValidations));
        return causes.Count > 0
            ? throw KubernetesError.Invalid(kind, "meta.k8s.io", "", causes)
            : new(kind, dry.Count > 0, query["fieldManager"].ToString(), validation);
    }

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
