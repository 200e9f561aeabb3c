using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>batch/v1 Job.</summary>
internal sealed class JobRules : ResourceRules
{
    public const string ControllerUid = "batch.kubernetes.io/controller-uid";
    public const string JobName = "batch.kubernetes.io/job-name";

    public override void Default(JsonObject body)
    {
        var spec = body.Child("spec");
        if (spec["completions"] is null && spec["parallelism"] is null)
            spec["completions"] = 1;
        spec.SetIfMissing("parallelism", 1);
        spec.SetIfMissing("backoffLimit", 6);
        spec.SetIfMissing("completionMode", "NonIndexed");
        spec.SetIfMissing("suspend", false);
        spec.SetIfMissing("manualSelector", false);
        spec.SetIfMissing("podReplacementPolicy", spec["podFailurePolicy"] is null ? "TerminatingOrFailed" : "Failed");
        PodTemplates.Default(spec);
        if (body.MapAt("metadata", "labels") is not { Count: > 0 } && spec.MapAt("template", "metadata", "labels") is { Count: > 0 } labels)
            body.Child("metadata")["labels"] = labels.DeepClone();
    }

    // generateSelector: a job finds its own pods by its uid unless it is told to use a selector of its user's.
    public override void PrepareCreate(JsonObject body)
    {
        body["status"] = new JsonObject();
        var spec = body.Child("spec");
        if (spec.FlagAt("manualSelector"))
            return;
        var (uid, name) = (body.TextAt("metadata", "uid"), body.TextAt("metadata", "name"));
        var labels = spec.Child("template").Child("metadata").Child("labels");
        (labels[ControllerUid], labels["controller-uid"]) = (uid, uid);
        (labels[JobName], labels["job-name"]) = (name, name);
        spec.Child("selector").Child("matchLabels")[ControllerUid] = uid;
    }

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var spec = body.Child("spec");
        return
        [
            .. PodTemplates.NotNegative(spec, "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"),
            .. PodTemplates.ValidateSelector(spec, "job"),
            .. Mode(spec),
            .. PodTemplates.Validate(spec),
            .. Restarts(spec),
        ];
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) =>
        PodTemplates.Immutable(body, old, "completions", "selector", "template", "completionMode", "podFailurePolicy", "backoffLimitPerIndex");

    private static IEnumerable<Cause> Mode(JsonObject spec)
    {
        if (spec.TextAt("completionMode") is not ("NonIndexed" or "Indexed"))
            yield return Cause.Unsupported("spec.completionMode", spec.TextAt("completionMode"), "Indexed", "NonIndexed");
        else if (spec.TextAt("completionMode") is "Indexed" && spec["completions"] is null)
            yield return Cause.Required("spec.completions", "when completion mode is Indexed");
    }

    private static IEnumerable<Cause> Restarts(JsonObject spec)
    {
        switch (spec.TextAt("template", "spec", "restartPolicy"))
        {
            case "Always":
                yield return Cause.Required("spec.template.spec.restartPolicy", "valid values: \"OnFailure\", \"Never\"");
                break;
            case not ("OnFailure" or "Never"):
                yield return Cause.Unsupported("spec.template.spec.restartPolicy", spec.TextAt("template", "spec", "restartPolicy"), "OnFailure", "Never");
                break;
        }
    }
}
