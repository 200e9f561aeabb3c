using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Collects what is wrong with an object, field by field, in the order in which a real server looks.</summary>
internal sealed class Causes
{
    private readonly List<Cause> _found = [];

    public IReadOnlyList<Cause> Found => _found;

    public bool Any => _found.Count > 0;

    public void Add(IEnumerable<Cause> causes) => _found.AddRange(causes);

    public void Required(string field, string detail = "") => _found.Add(Cause.Required(field, detail));

    public void Invalid(string field, JsonNode? value, string detail) => _found.Add(Cause.Invalid(field, value, detail));

    /// <summary>One cause for each of the details: a form can be wrong in several ways at once.</summary>
    public void Invalid(string field, string value, IEnumerable<string> details) => _found.AddRange(details.Select(d => Cause.Invalid(field, value, d)));

    public void Forbidden(string field, string detail) => _found.Add(Cause.Forbidden(field, detail));

    public void Duplicate(string field, JsonNode? value) => _found.Add(Cause.Duplicate(field, value));

    public void NotFound(string field, string value, string detail = "") => _found.Add(Cause.NotFound(field, value, detail));

    public void Unsupported(string field, string? value, params string[] supported) => _found.Add(Cause.Unsupported(field, value, supported));

    public void TooLong(string field, int bytes) => _found.Add(Cause.TooLong(field, bytes));

    /// <summary>A field that must be there.</summary>
    public bool Present(JsonObject map, string name, string at)
    {
        if (!string.IsNullOrEmpty(map.TextAt(name)))
            return true;
        Required($"{at}.{name}");
        return false;
    }

    /// <summary>A field that, where it is there, holds one of a few words.</summary>
    public void OneOf(JsonObject? map, string name, string at, params string[] supported)
    {
        if (map.TextAt(name) is { } value && !supported.Contains(value, StringComparer.Ordinal))
            Unsupported($"{at}.{name}", value, supported);
    }

    /// <summary>A field that, where it is there, holds a number from a range.</summary>
    public void InRange(JsonObject? map, string name, string at, long least, long most)
    {
        if (map.NumberAt(name) is { } value && (value < least || value > most))
            Invalid($"{at}.{name}", value, Formats.Between(least, most));
    }

    public void NotNegative(JsonObject? map, string name, string at)
    {
        if (map.NumberAt(name) is < 0 and var value)
            Invalid($"{at}.{name}", value, Formats.Negative);
    }

    /// <summary>Keys and values of a map of labels.</summary>
    public void Labels(JsonObject? labels, string at)
    {
        foreach (var (key, value) in labels ?? [])
        {
            Invalid(at, key, Formats.QualifiedName(key));
            var text = value.Text();
            Invalid(at, text, Formats.LabelValue(text));
        }
    }

    /// <summary>A label selector inside an object (apimachinery, meta/v1/validation).</summary>
    public void Selector(JsonObject? selector, string at)
    {
        Labels(selector.MapAt("matchLabels"), $"{at}.matchLabels");
        foreach (var (expression, here) in selector.At("matchExpressions").Numbered($"{at}.matchExpressions"))
        {
            var values = expression.ListAt("values") ?? [];
            switch (expression.TextAt("operator"))
            {
                case "In" or "NotIn" when values.Count == 0:
                    Required($"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'");
                    break;
                case "Exists" or "DoesNotExist" when values.Count > 0:
                    Forbidden($"{here}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
                    break;
                case not ("In" or "NotIn" or "Exists" or "DoesNotExist"):
                    Invalid($"{here}.operator", expression.TextAt("operator") ?? "", "not a valid selector operator");
                    break;
            }
            Invalid($"{here}.key", expression.TextAt("key") ?? "", Formats.QualifiedName(expression.TextAt("key") ?? ""));
            for (var i = 0; i < values.Count; i++)
                Invalid($"{here}.values[{i}]", values[i].Text(), Formats.LabelValue(values[i].Text()));
        }
    }
}

/// <summary>Words for walking through a body that is being checked.</summary>
internal static class Walking
{
    /// <summary>The text of a value that must be one; empty where there is none.</summary>
    public static string Text(this JsonNode? value) => value is JsonValue text && text.TryGetValue<string>(out var said) ? said : "";

    /// <summary>The texts of a list.</summary>
    public static IEnumerable<string> Texts(this JsonNode? list) => (list as JsonArray ?? []).Select(i => i.Text());

    /// <summary>The objects of a list, each with the path that names it.</summary>
    public static IEnumerable<(JsonObject Item, string At)> Numbered(this JsonNode? list, string at) => list.Objects().Select((item, i) => (item, $"{at}[{i}]"));
}
