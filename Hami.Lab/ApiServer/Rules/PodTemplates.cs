using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What holds for the pod template inside a workload, and for the selector beside it.</summary>
internal static class PodTemplates
{
    /// <summary>Fills in what a pod gets too, less what only a pod itself gets (SetDefaults_PodSpec, not SetDefaults_Pod).</summary>
    public static void Default(JsonObject spec)
    {
        var template = spec.Child("template");
        template.Child("metadata");
        PodDefaults.OfSpec(template.Child("spec"));
    }

    public static IEnumerable<Cause> Validate(JsonObject spec)
    {
        var template = spec.Child("template");
        return PodChecks.Of(template).Select(c => c with { Field = $"spec.template.{c.Field}" });
    }

    /// <summary>A selector must be there, must say something, and must match what the template makes.</summary>
    public static IEnumerable<Cause> ValidateSelector(JsonObject spec, string workload)
    {
        if (spec["selector"] is not JsonObject selector)
        {
            yield return Cause.Required("spec.selector");
            // An absent selector is an empty one, which no template's labels can fail to match, and the server says both.
            yield return Cause.Invalid("spec.template.metadata.labels", spec.MapAt("template", "metadata", "labels") ?? [], "`selector` does not match template `labels`");
            yield break;
        }
        foreach (var cause in LabelSelectors.Validate(selector, "spec.selector"))
            yield return cause;
        if (selector.Count == 0)
            yield return Cause.Invalid("spec.selector", selector, $"empty selector is invalid for {workload}");
        else if (!Selector.MatchesLabels(selector, spec.MapAt("template", "metadata", "labels")))
            yield return Cause.Invalid("spec.template.metadata.labels", spec.MapAt("template", "metadata", "labels") ?? [], "`selector` does not match template `labels`");
    }

    public static IEnumerable<Cause> ValidateAlwaysRestarts(JsonObject spec)
    {
        if (spec.TextAt("template", "spec", "restartPolicy") is { } policy and not "Always")
            yield return Cause.Unsupported("spec.template.spec.restartPolicy", policy, "Always");
        if (spec.NumberAt("template", "spec", "activeDeadlineSeconds") is not null)
            yield return Cause.Forbidden("spec.template.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported");
    }

    public static IEnumerable<Cause> NotNegative(JsonObject spec, params string[] fields) =>
        fields.Where(f => spec.NumberAt(f) < 0).Select(f => Cause.Invalid($"spec.{f}", spec[f], "must be greater than or equal to 0"));

    public static IEnumerable<Cause> Immutable(JsonObject body, JsonObject old, params string[] fields) =>
        fields.Where(f => !Json.Same(body.At("spec", f), old.At("spec", f))).Select(f => Cause.Invalid($"spec.{f}", body.At("spec", f), "field is immutable"));
}

/// <summary>The form of label selectors inside objects (apimachinery, meta/v1/validation).</summary>
internal static class LabelSelectors
{
    public static IEnumerable<Cause> Validate(JsonObject selector, string at)
    {
        var i = 0;
        foreach (var expression in selector["matchExpressions"].Objects())
        {
            var here = $"{at}.matchExpressions[{i++}]";
            var values = expression.ListAt("values")?.Count ?? 0;
            switch (expression.TextAt("operator"))
            {
                case "In" or "NotIn" when values == 0:
                    yield return Cause.Required($"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'");
                    break;
                case "Exists" or "DoesNotExist" when values > 0:
                    yield return Cause.Forbidden($"{here}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
                    break;
                case not ("In" or "NotIn" or "Exists" or "DoesNotExist"):
                    yield return Cause.Invalid($"{here}.operator", expression.TextAt("operator") ?? "", "not a valid selector operator");
                    break;
            }
        }
    }
}
