using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One field that objects of a resource can be selected by; metadata.name and metadata.namespace hold for all and are not among them.</summary>
internal sealed record SelectableField(string Label, string Absent, params string[][] Paths)
{
    public string ValueIn(JsonObject body)
    {
        foreach (var path in Paths)
        {
            if (body.TextAt(path) is { Length: > 0 } text)
                return text;
        }
        return Absent;
    }
}

/// <summary>The field labels of each resource (Kubernetes' registry: ToSelectableFields).</summary>
internal static class SelectableFields
{
    private static readonly Dictionary<string, SelectableField[]> Known = new(StringComparer.Ordinal)
    {
        ["pods"] =
        [
            Field("spec.nodeName"), Field("spec.restartPolicy"), Field("spec.schedulerName"), Field("spec.serviceAccountName"), Field("spec.hostNetwork", "false"),
            Field("status.phase"), Field("status.podIP"), Field("status.nominatedNodeName"),
        ],
        ["nodes"] = [Field("spec.unschedulable", "false")],
        ["namespaces"] = [Field("status.phase")],
        ["secrets"] = [Field("type")],
        ["jobs"] = [Field("status.successful", "0")],
        ["replicasets"] = [Field("status.replicas", "0")],
        ["events"] =
        [
            Field("involvedObject.kind"), Field("involvedObject.namespace"), Field("involvedObject.name"), Field("involvedObject.uid"), Field("involvedObject.apiVersion"),
            Field("involvedObject.resourceVersion"), Field("involvedObject.fieldPath"), Field("reason"), Field("reportingComponent"),
            new("source", "", ["source", "component"], ["reportingComponent"]), Field("type"),
        ],
    };

    public static SelectableField[] Of(Resource resource) => Known.GetValueOrDefault(resource.Plural, []);

    /// <summary>Where a label stands among the resource's fields; -1 when objects cannot be selected by it.</summary>
    public static int IndexOf(Resource resource, string label) => Array.FindIndex(Of(resource), f => f.Label == label);

    private static SelectableField Field(string label, string absent = "") => new(label, absent, label.Split('.'));
}
