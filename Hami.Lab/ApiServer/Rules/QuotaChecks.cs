using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What core/v1 refuses in a ResourceQuota.</summary>
internal static class QuotaChecks
{
    private static readonly string[] Whole = ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"];

    public static IReadOnlyList<Cause> Of(JsonObject body)
    {
        var causes = new Causes();
        ResourceChecks.CheckQuota(body.MapAt("spec", "hard"), "spec.hard", causes);
        CheckScopes(body.At("spec", "scopes"), causes);
        foreach (var expression in body.At("spec", "scopeSelector", "matchExpressions").Objects())
            CheckExpression(expression, "spec.scopeSelector.matchExpressions", causes);
        ResourceChecks.CheckQuota(body.MapAt("status", "hard"), "status.hard", causes);
        ResourceChecks.CheckQuota(body.MapAt("status", "used"), "status.used", causes);
        return causes.Found;
    }

    private static void CheckScopes(JsonNode? scopes, Causes causes)
    {
        var all = scopes.Texts().ToHashSet(StringComparer.Ordinal);
        foreach (var _ in all.Where(s => !IsScope(s)))
            causes.Invalid("spec.scopes", scopes!.DeepClone(), "unsupported scope");
        if (all.IsSupersetOf(["BestEffort", "NotBestEffort"]) || all.IsSupersetOf(["Terminating", "NotTerminating"]))
            causes.Invalid("spec.scopes", scopes!.DeepClone(), "conflicting scopes");
    }

    private static void CheckExpression(JsonObject expression, string at, Causes causes)
    {
        var (scope, @operator, values) = (expression.TextAt("scopeName") ?? "", expression.TextAt("operator") ?? "", expression.ListAt("values") ?? []);
        if (!IsScope(scope))
            causes.Invalid($"{at}.scopeName", scope, "unsupported scope");
        if (Whole.Contains(scope, StringComparer.Ordinal) && @operator is not "Exists")
        {
            causes.Invalid($"{at}.operator", @operator, "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
                + "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity");
        }
        switch (@operator)
        {
            case "In" or "NotIn" when values.Count == 0:
                causes.Required($"{at}.values", "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
                break;
            case "Exists" or "DoesNotExist" when values.Count > 0:
                causes.Invalid($"{at}.values", values.DeepClone(), "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector");
                break;
            case not ("In" or "NotIn" or "Exists" or "DoesNotExist"):
                causes.Invalid($"{at}.operator", @operator, "not a valid selector operator");
                break;
        }
    }

    private static bool IsScope(string scope) => Whole.Contains(scope, StringComparer.Ordinal) || scope is "PriorityClass" or "VolumeAttributesClass";
}
