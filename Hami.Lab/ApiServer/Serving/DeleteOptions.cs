using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>How something is to be deleted: from the body, or where there is none from the query (meta/v1 DeleteOptions).</summary>
internal static class DeleteOptions
{
    private static readonly string[] Policies = ["Foreground", "Background", "Orphan", "nil"];

    public static (JsonObject Asked, WriteOptions Options) Read(IQueryCollection query, ReadOnlyMemory<byte> body) =>
        Checked(body.IsEmpty ? OfQuery(query) : Intake.Object(body, "DeleteOptions"), query);

    /// <summary>What was asked, once it is known to make sense.</summary>
    public static (JsonObject Asked, WriteOptions Options) Checked(JsonObject asked, IQueryCollection query)
    {
        var (policy, dry) = (asked.TextAt("propagationPolicy"), asked["dryRun"] as JsonArray ?? []);
        var causes = new List<Cause>();
        if (policy is not null && asked["orphanDependents"] is not null)
            causes.Add(Cause.Invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set"));
        if (policy is not null && (!Policies.Contains(policy, StringComparer.Ordinal) || policy is "nil"))
            causes.Add(Cause.Unsupported("propagationPolicy", policy, Policies));
        if (dry.Texts().Any(d => d is not "All"))
            causes.Add(WriteOptions.NoDryRun(dry));
        if (causes.Count > 0)
            throw KubernetesError.Invalid("DeleteOptions", "meta.k8s.io", "", causes);
        var options = WriteOptions.From(query, "DeleteOptions");
        return (asked, options with { DryRun = options.DryRun || dry.Count > 0 });
    }

    private static JsonObject OfQuery(IQueryCollection query)
    {
        var asked = new JsonObject();
        if (query["gracePeriodSeconds"].ToString() is { Length: > 0 } text)
        {
            asked["gracePeriodSeconds"] = long.TryParse(text, out var seconds)
                ? seconds
                : throw KubernetesError.BadRequest($"strconv.ParseInt: parsing \"{text}\": invalid syntax");
        }
        if (query["propagationPolicy"].ToString() is { Length: > 0 } policy)
            asked["propagationPolicy"] = policy;
        if (query["orphanDependents"].ToString() is { Length: > 0 } orphans)
            asked["orphanDependents"] = orphans is not ("false" or "0");
        return asked;
    }
}
