using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What <c>kubectl get</c> prints of the objects that make pods (pkg/printers/internalversion).</summary>
internal static class WorkloadTables
{
    public static readonly Table Deployments = new(
        [Table.Name, new("Ready"), new("Up-to-date"), new("Available"), Table.Age, .. Wide],
        (o, now) =>
        [
            Name(o), $"{Number(o, "status", "readyReplicas")}/{Number(o, "spec", "replicas")}", Number(o, "status", "updatedReplicas"),
            Number(o, "status", "availableReplicas"), Ages.Of(o, now), Containers(o), Images(o), SelectorOf(o),
        ]);

    public static readonly Table ReplicaSets = new(
        [Table.Name, new("Desired", Type: "integer"), new("Current", Type: "integer"), new("Ready", Type: "integer"), Table.Age, .. Wide],
        (o, now) =>
        [
            Name(o), Number(o, "spec", "replicas"), Number(o, "status", "replicas"), Number(o, "status", "readyReplicas"), Ages.Of(o, now),
            Containers(o), Images(o), SelectorOf(o),
        ]);

    public static readonly Table Jobs = new(
        [Table.Name, new("Status"), new("Completions"), new("Duration"), Table.Age, .. Wide],
        (o, now) => [Name(o), JobState(o), Completions(o), Duration(o, now), Ages.Of(o, now), Containers(o), Images(o), SelectorOf(o)]);

    private static Column[] Wide => [new("Containers", 1), new("Images", 1), new("Selector", 1)];

    private static string? Name(JsonObject o) => o.TextAt("metadata", "name");

    private static long Number(JsonObject o, string part, string name) => o.NumberAt(part, name) ?? 0;

    private static string Containers(JsonObject o) => Joined(o, "name");

    private static string Images(JsonObject o) => Joined(o, "image");

    private static string Joined(JsonObject o, string field) =>
        string.Join(',', o.ListAt("spec", "template", "spec", "containers").Objects().Select(c => c.TextAt(field)));

    private static string SelectorOf(JsonObject o)
    {
        var equal = (o.MapAt("spec", "selector", "matchLabels") ?? []).OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}");
        var others = o.ListAt("spec", "selector", "matchExpressions").Objects().Select(e => e.TextAt("operator") switch
        {
            "Exists" => e.TextAt("key"),
            "DoesNotExist" => $"!{e.TextAt("key")}",
            var op => $"{e.TextAt("key")} {op?.ToLowerInvariant()} ({string.Join(',', (e.ListAt("values") ?? []).Select(v => v?.GetValue<string>()))})",
        });
        return string.Join(',', equal.Concat(others)) is { Length: > 0 } text ? text : "<none>";
    }

    private static bool Has(JsonObject job, string condition) =>
        job.ListAt("status", "conditions").Objects().Any(c => c.TextAt("type") == condition && c.TextAt("status") is "True");

    private static string JobState(JsonObject job) =>
        Has(job, "Complete") ? "Complete"
        : Has(job, "Failed") ? "Failed"
        : job.TextAt("metadata", "deletionTimestamp") is not null ? "Terminating"
        : Has(job, "Suspended") ? "Suspended"
        : Has(job, "FailureTarget") ? "FailureTarget"
        : Has(job, "SuccessCriteriaMet") ? "SuccessCriteriaMet"
        : "Running";

    private static string Completions(JsonObject job)
    {
        var done = Number(job, "status", "succeeded");
        if (job.NumberAt("spec", "completions") is { } wanted)
            return $"{done}/{wanted}";
        var parallel = Number(job, "spec", "parallelism");
        return parallel > 1 ? $"{done}/1 of {parallel}" : $"{done}/1";
    }

    private static string Duration(JsonObject job, DateTimeOffset now)
    {
        if (Ages.Parse(job.TextAt("status", "startTime")) is not { } began)
            return "";
        var ended = Ages.Parse(job.TextAt("status", "completionTime"))
            ?? Ages.Parse(job.ListAt("status", "conditions").Objects().FirstOrDefault(c => c.TextAt("type") is "Failed" && c.TextAt("status") is "True").TextAt("lastTransitionTime"));
        return Ages.Human((ended ?? now) - began);
    }
}
