using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Hami.Lab.ApiServer;

/// <summary>Which objects a list or a watch is about: labelSelector and fieldSelector together.</summary>
internal sealed partial class Selector
{
    private readonly List<Func<Stored, bool>> _tests = [];

    public bool MatchesAll => _tests.Count == 0;

    /// <summary>Which changes can concern this selection at all.</summary>
    public Trigger Trigger { get; private set; } = Trigger.Any;

    public static Selector Parse(string? labels, string? fields, Resource resource)
    {
        var selector = new Selector();
        foreach (var term in Terms(labels))
            selector._tests.Add(LabelTest(term));
        foreach (var term in (fields ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
            selector.AddField(term, resource);
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

    public bool Matches(Stored stored)
    {
        foreach (var test in _tests)
        {
            if (!test(stored))
                return false;
        }
        return true;
    }

    private static Func<Stored, bool> LabelTest(string term)
    {
        if (SetTerm().Match(term) is { Success: true } set)
        {
            var (key, wanted) = (set.Groups["key"].Value, set.Groups["in"].Value is "in");
            var values = set.Groups["values"].Value.Split(',', StringSplitOptions.TrimEntries);
            return stored => stored.Facts.Label(key) is { } has ? values.Contains(has, StringComparer.Ordinal) == wanted : !wanted;
        }
        if (EqualTerm().Match(term) is { Success: true } equal)
        {
            var (key, value, differs) = (equal.Groups["key"].Value, equal.Groups["value"].Value, equal.Groups["op"].Value is "!=");
            return stored => stored.Facts.Label(key) == value != differs;
        }
        if (HasTerm().Match(term) is { Success: true } exists)
        {
            var (key, wanted) = (exists.Groups["key"].Value, exists.Groups["not"].Length == 0);
            return stored => stored.Facts.Label(key) is not null == wanted;
        }
        throw KubernetesError.BadRequest($"unable to parse requirement: found '{term}', expected: identifier");
    }

    private void AddField(string term, Resource resource)
    {
        if (EqualTerm().Match(term) is not { Success: true } equal)
            throw KubernetesError.BadRequest($"invalid selector: '{term}'; can't understand '{term}'");
        var (field, value, differs) = (equal.Groups["key"].Value, equal.Groups["value"].Value, equal.Groups["op"].Value is "!=");
        if (field is "metadata.name")
        {
            _tests.Add(stored => stored.Name == value != differs);
            Trigger = differs ? Trigger : Trigger.Name(value);
        }
        else if (field is "metadata.namespace" && resource.Namespaced)
        {
            _tests.Add(stored => stored.Namespace == value != differs);
        }
        else if (SelectableFields.IndexOf(resource, field) is >= 0 and var at)
        {
            _tests.Add(stored => stored.Facts.Fields[at] == value != differs);
            if (field is "spec.nodeName" && !differs && Trigger == Trigger.Any)
                Trigger = Trigger.Node(value);
        }
        else
        {
            throw KubernetesError.BadRequest($"field label not supported: {field}");
        }
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
