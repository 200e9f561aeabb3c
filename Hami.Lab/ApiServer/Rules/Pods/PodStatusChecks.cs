using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What may not be said about a pod any more once something else was said.</summary>
internal static class PodStatusChecks
{
    public static void Check(JsonObject pod, JsonObject old, Causes causes)
    {
        var (now, before) = (pod.MapAt("status"), old.MapAt("status"));
        if (Json.Same(now, before))
            return;
        foreach (var (condition, at) in now.At("conditions").Numbered("status.conditions"))
        {
            if (condition.TextAt("type") is not ("PodScheduled" or "Ready" or "Initialized"))
                causes.Invalid($"{at}.Type", condition.TextAt("type") ?? "", Formats.QualifiedName(condition.TextAt("type") ?? ""));
        }
        if (now.TextAt("nominatedNodeName") is { Length: > 0 } nominated && nominated != before.TextAt("nominatedNodeName"))
            causes.Invalid("status.nominatedNodeName", nominated, Formats.Subdomain(nominated));
        // Old kubelets left it out; that is no change.
        if (now.TextAt("qosClass") is { Length: > 0 } quality && quality != before.TextAt("qosClass"))
            causes.Invalid("status.qosClass", quality, Formats.Immutable);
        CheckEnded(now.At("containerStatuses"), before.At("containerStatuses"), "status.containerStatuses", old, causes);
        CheckEnded(now.At("initContainerStatuses"), before.At("initContainerStatuses"), "status.initContainerStatuses", old, causes);
    }

    // A container that is over and will not be started again stays over.
    private static void CheckEnded(JsonNode? now, JsonNode? before, string at, JsonObject pod, Causes causes)
    {
        var policy = pod.TextAt("spec", "restartPolicy");
        if (policy is "Always")
            return;
        foreach (var (old, here) in before.Numbered(at).Where(s => s.Item.At("state", "terminated") is JsonObject))
        {
            var name = old.TextAt("name");
            var own = PodRules.Containers(pod.MapAt("spec")!).FirstOrDefault(c => c.TextAt("name") == name).TextAt("restartPolicy");
            if (own is not null || (policy is "OnFailure" && old.NumberAt("state", "terminated", "exitCode") is not (null or 0)))
                continue;
            if (now.Objects().Any(n => n.TextAt("name") == name && n.At("state", "terminated") is not JsonObject))
                causes.Forbidden($"{here}.state", "may not be transitioned to non-terminated state");
        }
    }
}
