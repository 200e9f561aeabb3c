using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Taints and what tolerates them.</summary>
internal static class TolerationChecks
{
    private static readonly string[] Effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

    public static void Check(JsonNode? tolerations, string at, Causes causes)
    {
        foreach (var (toleration, here) in tolerations.Numbered(at))
        {
            var (key, @operator, value) = (toleration.TextAt("key") ?? "", toleration.TextAt("operator") ?? "", toleration.TextAt("value") ?? "");
            var effect = toleration.TextAt("effect") ?? "";
            if (key.Length > 0)
                causes.Invalid($"{here}.key", key, Formats.QualifiedName(key));
            else if (@operator is not "Exists")
                causes.Invalid($"{here}.operator", @operator, "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
            if (toleration["tolerationSeconds"] is not null && effect is not "NoExecute")
                causes.Invalid($"{here}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
            switch (@operator)
            {
                case "" or "Equal":
                    if (Formats.LabelValue(value).ToArray() is { Length: > 0 } wrong)
                        causes.Invalid($"{here}.operator", value, string.Join(';', wrong));
                    break;
                case "Exists":
                    if (value.Length > 0)
                        causes.Invalid($"{here}.operator", value, "value must be empty when `operator` is 'Exists'");
                    break;
                default:
                    causes.Unsupported($"{here}.operator", @operator, "Equal", "Exists");
                    break;
            }
            if (effect.Length > 0 && !Effects.Contains(effect, StringComparer.Ordinal))
                causes.Unsupported($"{here}.effect", effect, Effects);
        }
    }

    public static void CheckTaints(JsonNode? taints, string at, Causes causes)
    {
        var seen = new HashSet<(string?, string?)>();
        foreach (var (taint, here) in taints.Numbered(at))
        {
            var (key, value, effect) = (taint.TextAt("key") ?? "", taint.TextAt("value") ?? "", taint.TextAt("effect") ?? "");
            causes.Invalid($"{here}.key", key, Formats.QualifiedName(key));
            if (Formats.LabelValue(value).ToArray() is { Length: > 0 } wrong)
                causes.Invalid($"{here}.value", value, string.Join(';', wrong));
            if (effect.Length == 0)
                causes.Required($"{here}.effect");
            else if (!Effects.Contains(effect, StringComparer.Ordinal))
                causes.Unsupported($"{here}.effect", effect, Effects);
            if (!seen.Add((key, effect)))
                causes.Add([new(here, "FieldValueDuplicate", $"Duplicate value: {Shown(key, value, effect)}: taints must be unique by key and effect pair")]);
        }
    }

    // As Go's own type would be written: it has no names of the wire.
    private static string Shown(string key, string value, string effect) =>
        Json.Text(new JsonObject { ["Key"] = key, ["Value"] = value, ["Effect"] = effect, ["TimeAdded"] = null });
}
