using System.Text.Json;
using System.Text.Json.Nodes;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Admitting;

namespace Hami.Api.Admitting;

/// <summary>Turns an admission into RFC 6902 operations: only what it means, nothing that a round trip would add or lose.</summary>
internal static class AdmissionPatch
{
    public static byte[] Of(Admission.HandOver handOver, PodJson pod)
    {
        var operations = new JsonArray(Add("/spec/schedulerName", handOver.SchedulerName));
        var containers = pod.AllContainers.ToList();
        var inits = containers.Count(c => c.IsInit);
        foreach (var added in handOver.Limits.GroupBy(l => l.Container))
        {
            var container = containers[added.Key];
            var path = container.IsInit ? $"/spec/initContainers/{added.Key}" : $"/spec/containers/{added.Key - inits}";
            if (container.Container.Resources is null)
                operations.Add(Add($"{path}/resources", new JsonObject()));
            if (container.Container.Resources?.Limits is null)
                operations.Add(Add($"{path}/resources/limits", new JsonObject()));
            foreach (var limit in added)
                operations.Add(Add($"{path}/resources/limits/{Escaped(limit.Resource)}", limit.Value.ToString()));
        }
        return JsonSerializer.SerializeToUtf8Bytes(operations);
    }

    private static JsonObject Add(string path, JsonNode value) => new() { ["op"] = "add", ["path"] = path, ["value"] = value };

    // RFC 6901: ~ and / have a meaning of their own in a pointer.
    private static string Escaped(string member) => member.Replace("~", "~0").Replace("/", "~1");
}
