using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Admitting;

namespace Hami.Api.Admitting;

/// <summary>Turns changes into RFC 6902 operations: only what they mean, nothing that a round trip would add or lose.</summary>
internal sealed class AdmissionPatch
{
    private readonly JsonArray _operations = [];
    private readonly HashSet<string> _made = new(StringComparer.Ordinal);
    private readonly List<(PodJson.Container Container, bool IsInit)> _containers;
    private readonly int _inits;

    private AdmissionPatch(PodJson pod)
    {
        _containers = [.. pod.AllContainers];
        _inits = _containers.Count(c => c.IsInit);
    }

    /// <summary>The patch, or null when nothing changes.</summary>
    public static byte[]? Of(IReadOnlyList<PodChange> changes, PodJson pod)
    {
        var patch = new AdmissionPatch(pod);
        foreach (var change in changes)
            patch.Put(change);
        return patch._operations.Count == 0 ? null : JsonSerializer.SerializeToUtf8Bytes(patch._operations);
    }

    private void Put(PodChange change)
    {
        switch (change)
        {
            case PodChange.SchedulerName c:
                Add("/spec/schedulerName", c.Name);
                break;
            case PodChange.RuntimeClass c:
                Add("/spec/runtimeClassName", c.Name);
                break;
            case PodChange.Limit c:
                PutLimit(c);
                break;
            case PodChange.Variable c:
                PutVariable(c);
                break;
            case PodChange.RemovedAnnotation c:
                Remove($"/metadata/annotations/{Escaped(c.Key)}");
                break;
            case PodChange.RemovedLabel c:
                Remove($"/metadata/labels/{Escaped(c.Key)}");
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(change), change, "No operation for this change.");
        }
    }

    private void PutLimit(PodChange.Limit limit)
    {
        var (path, container) = At(limit.Container);
        Make($"{path}/resources", container.Resources is null, new JsonObject());
        Make($"{path}/resources/limits", container.Resources?.Limits is null, new JsonObject());
        Add($"{path}/resources/limits/{Escaped(limit.Resource)}", limit.Value.ToString(CultureInfo.InvariantCulture));
    }

    private void PutVariable(PodChange.Variable variable)
    {
        var (path, container) = At(variable.Container);
        var isThere = false;
        for (var i = 0; i < container.Env?.Count; i++)
        {
            // The last of a name counts in a container, so none of them may stay.
            if (container.Env[i]?.Name != variable.Name)
                continue;
            isThere = true;
            Operate("replace", $"{path}/env/{i}", Named(variable));
        }
        if (isThere)
            return;
        Make($"{path}/env", container.Env is null, new JsonArray());
        Add($"{path}/env/-", Named(variable));
    }

    private (string Path, PodJson.Container Container) At(int position) =>
        (position < _inits ? $"/spec/initContainers/{position}" : $"/spec/containers/{position - _inits}", _containers[position].Container);

    private void Make(string path, bool isMissing, JsonNode empty)
    {
        if (isMissing && _made.Add(path))
            Add(path, empty);
    }

    private void Add(string path, JsonNode value) => Operate("add", path, value);

    private void Remove(string path) => _operations.Add(new JsonObject { ["op"] = "remove", ["path"] = path });

    private void Operate(string operation, string path, JsonNode value) =>
        _operations.Add(new JsonObject { ["op"] = operation, ["path"] = path, ["value"] = value });

    private static JsonObject Named(PodChange.Variable variable) => new() { ["name"] = variable.Name, ["value"] = variable.Value };

    // RFC 6901: ~ and / have a meaning of their own in a pointer.
    private static string Escaped(string member) => member.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
