using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The <c>/scale</c> of a workload: its number of replicas, without the rest of it.</summary>
internal sealed class Scales(ObjectStore store, Writes writes)
{
    private static readonly Resource Scale = new("autoscaling", "v1", "scales", "Scale", typeof(k8s.Models.V1Scale));

    public JsonObject Get(ApiRequest at) => Of(store.Get(at.Resource, at.Namespace, at.Name));

    /// <summary>Takes a Scale, or a patch of one; the workload is changed as by its own update.</summary>
    public async Task<JsonObject> Change(ApiRequest at, Func<JsonObject, JsonObject> change, WriteOptions options)
    {
        while (true)
        {
            var current = store.Get(at.Resource, at.Namespace, at.Name);
            // Shown without its version: what is there afterwards is the client's own word.
            var shown = Of(current);
            shown.Child("metadata").Remove("resourceVersion");
            var asked = change(shown);
            var replicas = asked.NumberAt("spec", "replicas") ?? 0;
            if (replicas < 0)
                throw KubernetesError.Invalid(Scale, at.Name, Cause.Invalid("spec.replicas", replicas, "must be greater than or equal to 0"));
            if (asked.TextAt("metadata", "resourceVersion") is { Length: > 0 } revision && revision != current.Revision.ToString())
                throw KubernetesError.Modified(at.Resource, at.Name);
            var body = current.Typed(at.Resource);
            body.Child("spec")["replicas"] = replicas;
            try
            {
                return Of(await writes.Replace(at with { Subresource = "" }, body, options));
            }
            catch (KubernetesError e) when (e.Code == 409 && asked.TextAt("metadata", "resourceVersion") is null or "")
            {
                // Somebody was faster, and the client did not care which version it scales.
            }
        }
    }

    private static JsonObject Of(Stored workload)
    {
        var metadata = new JsonObject();
        foreach (var name in (string[])["name", "namespace", "uid", "resourceVersion", "creationTimestamp"])
            metadata.Put(name, workload.Body.At("metadata", name));
        var status = new JsonObject { ["replicas"] = workload.Body.NumberAt("status", "replicas") ?? 0 };
        var labels = workload.Body.MapAt("spec", "selector", "matchLabels") ?? [];
        status["selector"] = string.Join(',', labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}"));
        return new()
        {
            ["kind"] = "Scale", ["apiVersion"] = "autoscaling/v1", ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["replicas"] = workload.Body.NumberAt("spec", "replicas") ?? 0 }, ["status"] = status,
        };
    }
}
