using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What may still change in a pod's spec: hardly anything.</summary>
internal static class PodUpdateChecks
{
    private const string MayChange =
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
        + "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

    public static void Check(JsonObject now, JsonObject before, Causes causes)
    {
        if (Json.Same(now, before))
            return;
        foreach (var list in (string[])["containers", "initContainers"])
        {
            if (now[list].Objects().Count() == before[list].Objects().Count())
                continue;
            causes.Forbidden($"spec.{list}", "pod updates may not add or remove containers");
            return;
        }
        if (!CheckDeadline(now, before, causes))
            return;
        CheckTolerations(now["tolerations"], before["tolerations"], causes);
        CheckGates(now["schedulingGates"], before["schedulingGates"], causes);
        var rest = Rest(now, before);
        if (before["schedulingGates"] is JsonArray { Count: > 0 })
            CheckGated(rest, before, causes);
        // A real server adds the difference as its compare library prints Go's structures; nobody can read it back.
        if (!Json.Same(rest, before))
            causes.Forbidden("spec", MayChange);
    }

    private static bool CheckDeadline(JsonObject now, JsonObject before, Causes causes)
    {
        const string at = "spec.activeDeadlineSeconds";
        var (asked, old) = (now.NumberAt("activeDeadlineSeconds"), before.NumberAt("activeDeadlineSeconds"));
        if (asked is < 0 or > int.MaxValue)
            causes.Invalid(at, asked.Value, Formats.Between(0, int.MaxValue));
        else if (asked > old)
            causes.Invalid(at, asked.Value, "must be less than or equal to previous value");
        else if (asked is null && old is not null)
            causes.Invalid(at, null, "must not update from a positive integer to nil value");
        else
            return true;
        return asked is null;
    }

    // Their seconds may change; nothing else may, and none may go.
    private static void CheckTolerations(JsonNode? now, JsonNode? before, Causes causes)
    {
        var kept = now.Objects().Select(WithoutSeconds).ToArray();
        if (before.Objects().Select(WithoutSeconds).Any(old => !Array.Exists(kept, k => Json.Same(k, old))))
            causes.Forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
        else
            TolerationChecks.Check(now, "spec.tolerations", causes);
    }

    private static JsonObject WithoutSeconds(JsonObject toleration)
    {
        var rest = Json.Copy(toleration);
        rest.Remove("tolerationSeconds");
        return rest;
    }

    private static void CheckGates(JsonNode? now, JsonNode? before, Causes causes)
    {
        var old = before.Objects().Select(g => g.TextAt("name")).ToHashSet(StringComparer.Ordinal);
        foreach (var (gate, at) in now.Numbered("spec.schedulingGates").Where(g => !old.Contains(g.Item.TextAt("name"))))
            causes.Forbidden($"{at}.name", $"only deletion is allowed, but found new scheduling gate '{gate.TextAt("name")}'");
    }

    // While a pod is held back, where it may go can still be narrowed.
    private static void CheckGated(JsonObject rest, JsonObject before, Causes causes)
    {
        var (now, old) = (rest.MapAt("nodeSelector") ?? [], before.MapAt("nodeSelector") ?? []);
        if (old.Any(o => now.TextAt(o.Key) != o.Value.Text()))
            causes.Invalid("spec.nodeSelector", rest["nodeSelector"]?.DeepClone() ?? new JsonObject(), "only additions are allowed (no mutations or deletions)");
        rest.Put("nodeSelector", before["nodeSelector"]);
        var affinity = Json.Copy(rest.MapAt("affinity") ?? []);
        affinity.Put("nodeAffinity", before.At("affinity", "nodeAffinity"));
        if (affinity.Count > 0 || before["affinity"] is not null)
            rest["affinity"] = affinity;
        else
            rest.Remove("affinity");
    }

    // The new spec with everything that may change put back to what it was: what still differs may not.
    private static JsonObject Rest(JsonObject now, JsonObject before)
    {
        var rest = Json.Copy(now);
        foreach (var list in (string[])["containers", "initContainers"])
        {
            foreach (var (container, old) in rest[list].Objects().Zip(before[list].Objects()))
                container.Put("image", old["image"]);
        }
        foreach (var field in (string[])["tolerations", "activeDeadlineSeconds", "schedulingGates"])
            rest.Put(field, before[field]);
        if (before.NumberAt("terminationGracePeriodSeconds") < 0 && rest.NumberAt("terminationGracePeriodSeconds") is 1)
            rest.Put("terminationGracePeriodSeconds", before["terminationGracePeriodSeconds"]);
        return rest;
    }
}
