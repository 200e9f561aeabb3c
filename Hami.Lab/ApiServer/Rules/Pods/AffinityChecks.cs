using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Affinity to nodes and to other pods.</summary>
internal static class AffinityChecks
{
    private const string Required = "requiredDuringSchedulingIgnoredDuringExecution";
    private const string Preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    private const string Weights = "must be in the range 1-100";

    public static void Check(JsonObject? affinity, string at, Causes causes)
    {
        if (affinity.MapAt("nodeAffinity", Required) is { } nodes)
            CheckNodes(nodes, $"{at}.nodeAffinity.{Required}", causes);
        foreach (var (term, here) in affinity.At("nodeAffinity", Preferred).Numbered($"{at}.nodeAffinity.{Preferred}"))
        {
            CheckWeight(term, here, causes);
            CheckTerm(term.MapAt("preference") ?? [], $"{here}.preference", anyValue: true, causes);
        }
        foreach (var kind in (string[])["podAffinity", "podAntiAffinity"])
        {
            foreach (var (term, here) in affinity.At(kind, Required).Numbered($"{at}.{kind}.{Required}"))
                CheckPods(term, here, causes);
            foreach (var (term, here) in affinity.At(kind, Preferred).Numbered($"{at}.{kind}.{Preferred}"))
            {
                CheckWeight(term, here, causes);
                CheckPods(term.MapAt("podAffinityTerm") ?? [], $"{here}.podAffinityTerm", causes);
            }
        }
    }

    private static void CheckWeight(JsonObject term, string at, Causes causes)
    {
        if ((term.NumberAt("weight") ?? 0) is var weight and (< 1 or > 100))
            causes.Invalid($"{at}.weight", weight, Weights);
    }

    private static void CheckNodes(JsonObject selector, string at, Causes causes)
    {
        if (selector["nodeSelectorTerms"] is not JsonArray { Count: > 0 })
            causes.Required($"{at}.nodeSelectorTerms", "must have at least one node selector term");
        foreach (var (term, here) in selector["nodeSelectorTerms"].Numbered($"{at}.nodeSelectorTerms"))
            CheckTerm(term, here, anyValue: false, causes);
    }

    private static void CheckTerm(JsonObject term, string at, bool anyValue, Causes causes)
    {
        foreach (var (expression, here) in term["matchExpressions"].Numbered($"{at}.matchExpressions"))
            CheckExpression(expression, here, anyValue, causes);
        foreach (var (field, here) in term["matchFields"].Numbered($"{at}.matchFields"))
            CheckField(field, here, causes);
    }

    private static void CheckExpression(JsonObject expression, string at, bool anyValue, Causes causes)
    {
        var values = expression["values"].Texts().ToArray();
        switch (expression.TextAt("operator"))
        {
            case "In" or "NotIn" when values.Length == 0:
                causes.Required($"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'");
                break;
            case "Exists" or "DoesNotExist" when values.Length > 0:
                causes.Forbidden($"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
                break;
            case "Gt" or "Lt" when values.Length != 1:
                causes.Required($"{at}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'");
                break;
            case not ("In" or "NotIn" or "Exists" or "DoesNotExist" or "Gt" or "Lt"):
                causes.Invalid($"{at}.operator", expression.TextAt("operator") ?? "", "not a valid selector operator");
                break;
        }
        causes.Invalid($"{at}.key", expression.TextAt("key") ?? "", Formats.QualifiedName(expression.TextAt("key") ?? ""));
        for (var i = 0; i < values.Length && !anyValue; i++)
            causes.Invalid($"{at}.values[{i}]", values[i], Formats.LabelValue(values[i]));
    }

    private static void CheckField(JsonObject field, string at, Causes causes)
    {
        var values = field["values"].Texts().ToArray();
        if (field.TextAt("operator") is not ("In" or "NotIn"))
            causes.Invalid($"{at}.operator", field.TextAt("operator") ?? "", "not a valid selector operator");
        else if (values.Length != 1)
            causes.Required($"{at}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
        if (field.TextAt("key") is not "metadata.name")
        {
            causes.Invalid($"{at}.key", field.TextAt("key") ?? "", "not a valid field selector key");
            return;
        }
        for (var i = 0; i < values.Length; i++)
            causes.Invalid($"{at}.values[{i}]", values[i], Formats.Subdomain(values[i]));
    }

    private static void CheckPods(JsonObject term, string at, Causes causes)
    {
        causes.Selector(term.MapAt("labelSelector"), $"{at}.labelSelector");
        causes.Selector(term.MapAt("namespaceSelector"), $"{at}.namespaceSelector");
        foreach (var name in term["namespaces"].Texts())
            causes.Invalid($"{at}.namespace", name, Formats.Label(name));
        foreach (var keys in (string[])["matchLabelKeys", "mismatchLabelKeys"])
        {
            if (term[keys] is JsonArray { Count: > 0 } && term["labelSelector"] is null)
                causes.Forbidden($"{at}.{keys}", "must not be specified when labelSelector is not set");
        }
        var topology = term.TextAt("topologyKey") ?? "";
        if (topology.Length == 0)
            causes.Required($"{at}.topologyKey", "can not be empty");
        causes.Invalid($"{at}.topologyKey", topology, Formats.QualifiedName(topology));
    }
}
