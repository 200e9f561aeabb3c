using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What core/v1 refuses in a pod, and in the template of one.</summary>
internal static class PodChecks
{
    public static IReadOnlyList<Cause> Of(JsonObject pod)
    {
        var causes = new Causes();
        var spec = pod.Child("spec");
        PodAnnotationChecks.Check(pod.MapAt("metadata", "annotations"), spec, "metadata.annotations", causes);
        PodSpecChecks.Check(spec, "spec", inPod: true, causes);
        foreach (var (container, at) in spec["containers"].Numbered("spec.containers").Concat(spec["initContainers"].Numbered("spec.initContainers")))
        {
            if (container.TextAt("image") is { } image && image.Trim() != image)
                causes.Invalid($"{at}.image", image, "must not have leading or trailing whitespace");
        }
        if (spec["ephemeralContainers"] is JsonArray { Count: > 0 })
            causes.Forbidden("spec.ephemeralContainers", "cannot be set on create");
        return causes.Found;
    }

    /// <summary>What holds only when a pod is made: one may not begin both held back and placed.</summary>
    public static IReadOnlyList<Cause> OfNew(JsonObject pod)
    {
        var causes = new Causes();
        if (!string.IsNullOrEmpty(pod.TextAt("spec", "nodeName")) && pod.ListAt("spec", "schedulingGates") is { Count: > 0 })
            causes.Forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared");
        return causes.Found;
    }

    /// <summary>The template of a workload, at the path where it stands.</summary>
    public static IReadOnlyList<Cause> OfTemplate(JsonObject template, string at)
    {
        var causes = new Causes();
        var spec = template.Child("spec");
        causes.Labels(template.MapAt("metadata", "labels"), $"{at}.labels");
        causes.Add(ObjectChecks.OfAnnotations(template.MapAt("metadata", "annotations") ?? [], $"{at}.annotations"));
        PodAnnotationChecks.Check(template.MapAt("metadata", "annotations"), spec, $"{at}.annotations", causes);
        PodSpecChecks.Check(spec, $"{at}.spec", inPod: false, causes);
        if (spec["ephemeralContainers"] is JsonArray { Count: > 0 })
            causes.Forbidden($"{at}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template");
        return causes.Found;
    }

    public static IReadOnlyList<Cause> OfUpdate(JsonObject pod, JsonObject old)
    {
        var causes = new Causes();
        PodAnnotationChecks.CheckUpdate(pod.MapAt("metadata", "annotations"), old.MapAt("metadata", "annotations"), "metadata.annotations", causes);
        PodUpdateChecks.Check(pod.Child("spec"), old.MapAt("spec") ?? [], causes);
        PodStatusChecks.Check(pod, old, causes);
        return causes.Found;
    }
}
