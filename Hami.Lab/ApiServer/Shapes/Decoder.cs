using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Brings a client's JSON into the form Kubernetes stores: unknown fields and nulls gone, quantities canonical, wrong types refused.</summary>
internal static class Decoder
{
    /// <summary>Rewrites the object in place and returns the paths of the fields that its shape does not know.</summary>
    public static List<string> Decode(JsonObject body, Resource resource) =>
        TryDecode(body, resource, out var why) ?? throw KubernetesError.Undecodable(resource, why);

    /// <summary>The same; null, and the reason, when the object cannot be brought into the form.</summary>
    public static List<string>? TryDecode(JsonObject body, Resource resource, out string why)
    {
        var unknown = new List<string>();
        why = "";
        try
        {
            Fields(body, resource.Shape, resource.Kind, new(), unknown);
            return unknown;
        }
        catch (FormatException e)
        {
            why = e.Message;
            return null;
        }
    }

    private static void Fields(JsonObject map, Shape shape, string owner, Way way, List<string> unknown)
    {
        for (var i = 0; i < map.Count; i++)
        {
            var (name, value) = map.GetAt(i);
            way.Into(name);
            if (!shape.Fields.TryGetValue(name, out var field))
            {
                unknown.Add(way.ToString());
                map.RemoveAt(i--);
            }
            // Go keeps an explicit null only where the field has no omitempty; this one shows in every condition.
            else if (value is null)
            {
                if (name is not "lastProbeTime")
                    map.RemoveAt(i--);
            }
            else if (Rewrite(value, field, owner, way, unknown) is { } better)
            {
                map.SetAt(i, better);
            }
            way.Back();
        }
    }

    /// <summary>Checks one value; returns its replacement when it must be written otherwise.</summary>
    private static JsonNode? Rewrite(JsonNode value, Shape shape, string owner, Way way, List<string> unknown)
    {
        var kind = value.GetValueKind();
        switch (shape.Form)
        {
            case Form.Anything:
                return null;
            case Form.Quantity when kind is JsonValueKind.String or JsonValueKind.Number:
                return Quantities.Canonical(kind is JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString());
            case Form.Quantity:
                throw new FormatException(Quantities.Malformed);
            case Form.Bytes when kind is JsonValueKind.String:
                return Base64Text.Check(value.GetValue<string>());
            case Form.Text when kind is JsonValueKind.String:
            case Form.Flag when kind is JsonValueKind.True or JsonValueKind.False:
            case Form.Fraction when kind is JsonValueKind.Number:
            case Form.WholeOrText when kind is JsonValueKind.String:
                return null;
            case Form.WholeOrText when kind is JsonValueKind.Number:
                return int.TryParse(value.ToJsonString(), out _)
                    ? null
                    : throw new FormatException($"json: cannot unmarshal number {value.ToJsonString()} into Go value of type int32");
            case Form.Time when kind is JsonValueKind.String:
                GoTime.Check(value.GetValue<string>());
                return null;
            case Form.Whole when kind is JsonValueKind.Number:
                return (shape.GoName is "int32" ? int.TryParse(value.ToJsonString(), out _) : long.TryParse(value.ToJsonString(), out _))
                    ? null
                    : throw new FormatException($"json: cannot unmarshal number {value.ToJsonString()} into Go struct field {owner}.{way.WithoutPlaces()} of type {shape.GoName}");
            case Form.Object when value is JsonObject map:
                Fields(map, shape, shape.GoName["v1.".Length..], way, unknown);
                return null;
            case Form.Map when value is JsonObject map:
                for (var i = 0; i < map.Count; i++)
                {
                    if (map.GetAt(i).Value is not { } item)
                        map.SetAt(i, shape.Item.Form is Form.Text ? "" : null);
                    else if (Rewrite(item, shape.Item, owner, way, unknown) is { } better)
                        map.SetAt(i, better);
                }
                return null;
            case Form.List when value is JsonArray list:
                for (var i = 0; i < list.Count; i++)
                {
                    way.Into(i);
                    if (list[i] is { } item && Rewrite(item, shape.Item, owner, way, unknown) is { } better)
                        list[i] = better;
                    way.Back();
                }
                return null;
            default:
                throw new FormatException($"json: cannot unmarshal {Word(kind)} into Go struct field {owner}.{way.WithoutPlaces()} of type {shape.GoName}");
        }
    }

    private static string Word(JsonValueKind kind) => kind switch
    {
        JsonValueKind.String => "string",
        JsonValueKind.Number => "number",
        JsonValueKind.True or JsonValueKind.False => "bool",
        JsonValueKind.Array => "array",
        _ => "object",
    };

    /// <summary>The way from the object to one of its fields: written out only where something is wrong there.</summary>
    private sealed class Way
    {
        // Names, and places in lists.
        private readonly List<(string? Name, int Place)> _steps = [];

        public void Into(string name) => _steps.Add((name, 0));

        public void Into(int place) => _steps.Add((null, place));

        public void Back() => _steps.RemoveAt(_steps.Count - 1);

        /// <summary>Go names the innermost struct, and then the way to the field from the outermost, without the places in lists.</summary>
        public string WithoutPlaces() => string.Join('.', _steps.Where(s => s.Name is not null).Select(s => s.Name));

        public override string ToString() => string.Concat(_steps.Select((s, i) => s.Name is null ? $"[{s.Place}]" : i == 0 ? s.Name : $".{s.Name}"));
    }
}
