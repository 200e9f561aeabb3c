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
        foreach (var requirement in LabelSelectorText.Parse(labels ?? ""))
            selector._tests.Add(LabelTest(requirement));
        foreach (var term in (fields ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
            selector.AddField(term, fields!, resource);
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

    private static Func<Stored, bool> LabelTest(LabelRequirement requirement)
    {
        var (key, values) = (requirement.Key, requirement.Values);
        var bound = requirement.Operator is "gt" or "lt" ? long.Parse(values[0], System.Globalization.CultureInfo.InvariantCulture) : 0;
        return requirement.Operator switch
        {
            "in" => stored => stored.Facts.Label(key) is { } has && values.Contains(has, StringComparer.Ordinal),
            "notin" => stored => stored.Facts.Label(key) is not { } has || !values.Contains(has, StringComparer.Ordinal),
            "exists" => stored => stored.Facts.Label(key) is not null,
            "gt" => stored => long.TryParse(stored.Facts.Label(key), out var has) && has > bound,
            "lt" => stored => long.TryParse(stored.Facts.Label(key), out var has) && has < bound,
            _ => stored => stored.Facts.Label(key) is null,
        };
    }

    private void AddField(string term, string all, Resource resource)
    {
        if (EqualTerm().Match(term) is not { Success: true } equal)
            throw KubernetesError.BadRequest($"invalid selector: '{all}'; can't understand '{term}'");
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

    [GeneratedRegex(@"^(?<key>[^\s!=,()]+)\s*(?<op>==|=|!=)\s*(?<value>[^\s!=,()]*)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex EqualTerm();
}
