using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The part of core/v1's pod validation that users and this project's components run into.</summary>
internal static class PodChecks
{
    private const string MayChange =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
        + "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

    private static readonly HashSet<string> Native = new(StringComparer.Ordinal) { "cpu", "memory", "ephemeral-storage" };

    public static IEnumerable<Cause> Of(JsonObject body)
    {
        var spec = body.Child("spec");
        if (spec["containers"] is not JsonArray { Count: > 0 })
            yield return Cause.Required("spec.containers");
        foreach (var (container, at) in Numbered(spec, "initContainers").Concat(Numbered(spec, "containers")))
        {
            foreach (var cause in OfContainer(container, at))
                yield return cause;
        }
        foreach (var twice in PodRules.Containers(spec).Select(c => c.TextAt("name")).GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Key is not null && g.Skip(1).Any()))
            yield return Cause.Duplicate("spec.containers[1].name", twice.Key);
        if (spec.TextAt("restartPolicy") is not ("Always" or "OnFailure" or "Never"))
            yield return Cause.Unsupported("spec.restartPolicy", spec.TextAt("restartPolicy"), "Always", "OnFailure", "Never");
        if (spec.TextAt("nodeName") is { Length: > 0 } node && ObjectChecks.Subdomain(node) is { } why)
            yield return Cause.Invalid("spec.nodeName", node, why);
    }

    public static IEnumerable<Cause> OfUpdate(JsonObject body, JsonObject old)
    {
        var (now, before) = (body.Child("spec"), old.MapAt("spec") ?? []);
        if (Json.Same(now, before))
            yield break;
        if (Fixed(now, before) is { } changed && !Json.Same(changed, Fixed(before, before)))
            yield return Cause.Forbidden("spec", MayChange);
        else if (before["tolerations"].Objects().Any(t => !now["tolerations"].Objects().Any(n => Json.Same(t, n))))
            yield return Cause.Forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
    }

    private static IEnumerable<Cause> OfContainer(JsonObject container, string at)
    {
        if (container.TextAt("name") is not { Length: > 0 } name)
            yield return Cause.Required($"{at}.name");
        else if (ObjectChecks.Label(name) is { } why)
            yield return Cause.Invalid($"{at}.name", name, why);
        if (string.IsNullOrEmpty(container.TextAt("image")))
            yield return Cause.Required($"{at}.image");
        var limits = container.MapAt("resources", "limits") ?? [];
        var requests = container.MapAt("resources", "requests") ?? [];
        foreach (var (resource, value) in limits)
        {
            foreach (var cause in OfAmount(resource, value!, $"{at}.resources.limits"))
                yield return cause;
        }
        foreach (var (resource, value) in requests)
        {
            foreach (var cause in OfAmount(resource, value!, $"{at}.resources.requests"))
                yield return cause;
            var (asked, limit) = (Quantities.Amount(value!.GetValue<string>()), limits.TextAt(resource));
            var field = $"{at}.resources.requests";
            if (limit is null)
            {
                if (!Native.Contains(resource))
                    yield return Cause.Required($"{at}.resources.limits", $"Limit must be set for non overcommitable resources");
            }
            else if (!Native.Contains(resource) && asked != Quantities.Amount(limit))
                yield return Cause.Invalid(field, value.DeepClone(), $"must be equal to {resource} limit of {limit}");
            else if (asked > Quantities.Amount(limit))
                yield return Cause.Invalid(field, value.DeepClone(), $"must be less than or equal to {resource} limit of {limit}");
        }
    }

    private static IEnumerable<Cause> OfAmount(string resource, JsonNode value, string at)
    {
        if (!resource.Contains('/', StringComparison.Ordinal) && !Native.Contains(resource) && !resource.StartsWith("hugepages-", StringComparison.Ordinal))
            yield return Cause.Invalid(at, resource, "must be a standard resource for containers");
        var amount = Quantities.Amount(value.GetValue<string>());
        if (amount < 0)
            yield return Cause.Invalid($"{at}[{resource}]", value.DeepClone(), "must be greater than or equal to 0");
        if (!Native.Contains(resource) && amount != decimal.Truncate(amount))
            yield return Cause.Invalid($"{at}[{resource}]", value.DeepClone(), "must be an integer");
    }

    private static IEnumerable<(JsonObject Container, string At)> Numbered(JsonObject spec, string list) =>
        spec[list].Objects().Select((c, i) => (c, $"spec.{list}[{i}]"));

    // The new spec with everything that may change put back to what it was: what still differs may not.
    private static JsonObject Fixed(JsonObject spec, JsonObject before)
    {
        var fixedPart = Json.Copy(spec);
        foreach (var list in (string[])["containers", "initContainers"])
        {
            var images = before[list].Objects().ToDictionary(c => c.TextAt("name") ?? "", c => c["image"], StringComparer.Ordinal);
            foreach (var container in fixedPart[list].Objects())
                container.Put("image", images.GetValueOrDefault(container.TextAt("name") ?? ""));
        }
        fixedPart.Put("tolerations", before["tolerations"]);
        fixedPart.Put("activeDeadlineSeconds", before["activeDeadlineSeconds"]);
        if (before.NumberAt("terminationGracePeriodSeconds") < 0)
            fixedPart.Put("terminationGracePeriodSeconds", before["terminationGracePeriodSeconds"]);
        // A gate may be taken off, and while there is one the pod's node selection may still be narrowed.
        if (before["schedulingGates"] is JsonArray { Count: > 0 } gates)
        {
            if (fixedPart["schedulingGates"].Objects().All(g => gates.Objects().Any(b => Json.Same(b, g))))
                fixedPart.Put("schedulingGates", gates);
            fixedPart.Put("nodeSelector", before["nodeSelector"]);
            fixedPart.Put("affinity", before["affinity"]);
        }
        return fixedPart;
    }
}
