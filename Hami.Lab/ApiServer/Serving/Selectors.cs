using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Hami.Lab.ApiServer;

/// <summary>Which objects a list or a watch is about: labelSelector and fieldSelector together.</summary>
internal sealed partial class Selector
{
    // Field labels a resource can be selected by (registry: ToSelectableFields); metadata.* holds for all.
    private static readonly Dictionary<string, string[]> Selectable = new(StringComparer.Ordinal)
    {
        ["pods"] = ["spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"],
        ["nodes"] = ["spec.unschedulable"],
        ["namespaces"] = ["status.phase"],
        ["secrets"] = ["type"],
        ["events"] =
        [
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
            "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
        ],
    };

    private readonly List<Func<JsonObject, bool>> _tests = [];

    public bool MatchesAll => _tests.Count == 0;

    public static Selector Parse(string? labels, string? fields, Resource resource)
    {
        var selector = new Selector();
        foreach (var term in Terms(labels))
            selector._tests.Add(LabelTest(term));
        foreach (var term in (fields ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
            selector._tests.Add(FieldTest(term, resource));
        return selector;
    }

    /// <summary>The selector of a webhook configuration: matchLabels and matchExpressions over a map of labels.</summary>
    public static bool MatchesLabels(JsonNode? selector, JsonObject? labels)
    {
        foreach (var (key, value) in selector.MapAt("matchLabels") ?? [])
        {
            if (labels.TextAt(key) != value?.GetValue<string>())
                return false;
        }
        foreach (var expression in selector.At("matchExpressions").Objects())
        {
            var has = labels.TextAt(expression.TextAt("key") ?? "");
            var among = expression["values"] is JsonArray values && values.Any(v => v?.GetValue<string>() == has);
            var holds = expression.TextAt("operator") switch
            {
                "In" => has is not null && among,
                "NotIn" => has is null || !among,
                "Exists" => has is not null,
                "DoesNotExist" => has is null,
                _ => false,
            };
            if (!holds)
                return false;
        }
        return true;
    }

    public bool Matches(Stored stored) => _tests.TrueForAll(t => t(stored.Body));

    private static Func<JsonObject, bool> LabelTest(string term)
    {
        if (SetTerm().Match(term) is { Success: true } set)
        {
            var (key, wanted) = (set.Groups["key"].Value, set.Groups["in"].Value is "in");
            var values = set.Groups["values"].Value.Split(',', StringSplitOptions.TrimEntries);
            return body => body.TextAt("metadata", "labels", key) is { } has ? values.Contains(has, StringComparer.Ordinal) == wanted : !wanted;
        }
        if (EqualTerm().Match(term) is { Success: true } equal)
        {
            var (key, value, differs) = (equal.Groups["key"].Value, equal.Groups["value"].Value, equal.Groups["op"].Value is "!=");
            return body => body.TextAt("metadata", "labels", key) == value != differs;
        }
        if (HasTerm().Match(term) is { Success: true } exists)
        {
            var (key, wanted) = (exists.Groups["key"].Value, exists.Groups["not"].Length == 0);
            return body => body.At("metadata", "labels", key) is not null == wanted;
        }
        throw KubernetesError.BadRequest($"unable to parse requirement: found '{term}', expected: identifier");
    }

    private static Func<JsonObject, bool> FieldTest(string term, Resource resource)
    {
        if (EqualTerm().Match(term) is not { Success: true } equal)
            throw KubernetesError.BadRequest($"invalid selector: '{term}'; can't understand '{term}'");
        var (field, value, differs) = (equal.Groups["key"].Value, equal.Groups["value"].Value, equal.Groups["op"].Value is "!=");
        var allowed = field is "metadata.name" || (field is "metadata.namespace" && resource.Namespaced)
            || (Selectable.TryGetValue(resource.Plural, out var fields) && fields.Contains(field, StringComparer.Ordinal));
        if (!allowed)
            throw KubernetesError.BadRequest($"field label not supported: {field}");
        var path = field is "source" ? ["source", "component"] : field.Split('.');
        return body => (body.TextAt(path) ?? (field is "spec.unschedulable" or "spec.hostNetwork" ? "false" : "")) == value != differs;
    }

    // Commas inside "in (a,b)" do not end a term.
    private static IEnumerable<string> Terms(string? labels) =>
        CommaOutside().Split(labels ?? "").Select(t => t.Trim()).Where(t => t.Length > 0);

    [GeneratedRegex(@",(?![^(]*\))", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex CommaOutside();

    [GeneratedRegex(@"^(?<key>[^\s!=,()]+)\s+(?<in>in|notin)\s*\((?<values>[^)]*)\)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SetTerm();

    [GeneratedRegex(@"^(?<key>[^\s!=,()]+)\s*(?<op>==|=|!=)\s*(?<value>[^\s!=,()]*)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex EqualTerm();

    [GeneratedRegex(@"^(?<not>!?)\s*(?<key>[^\s!=,()]+)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex HasTerm();
}
