using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>rbac.authorization.k8s.io/v1 Role and ClusterRole.</summary>
internal sealed class RoleRules : ResourceRules
{
    public static bool AreAbout(Resource resource) => resource.Group is Resources.RbacGroup;

    // Go writes the list even when nobody set it.
    public override void Default(JsonObject body) => body.SetIfMissing("rules", new JsonArray());

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var i = 0;
        foreach (var rule in body["rules"].Objects())
        {
            var at = $"rules[{i++}]";
            if (rule.ListAt("verbs") is not { Count: > 0 })
                yield return Cause.Required($"{at}.verbs", "verbs must contain at least one value");
            if (rule.ListAt("nonResourceURLs") is { Count: > 0 } urls)
            {
                if (body.TextAt("metadata", "namespace") is not null)
                    yield return Cause.Invalid($"{at}.nonResourceURLs", urls.DeepClone(), "namespaced rules cannot apply to non-resource URLs");
                if (rule.ListAt("apiGroups") is { Count: > 0 } || rule.ListAt("resources") is { Count: > 0 } || rule.ListAt("resourceNames") is { Count: > 0 })
                    yield return Cause.Invalid($"{at}.nonResourceURLs", urls.DeepClone(), "rules cannot apply to both regular resources and non-resource URLs");
                continue;
            }
            if (rule.ListAt("apiGroups") is not { Count: > 0 })
                yield return Cause.Required($"{at}.apiGroups", "resource rules must supply at least one api group");
            if (rule.ListAt("resources") is not { Count: > 0 })
                yield return Cause.Required($"{at}.resources", "resource rules must supply at least one resource");
        }
    }
}

/// <summary>rbac.authorization.k8s.io/v1 RoleBinding and ClusterRoleBinding.</summary>
internal sealed class BindingRules : ResourceRules
{
    public override void Default(JsonObject body)
    {
        body.Child("roleRef").SetIfMissing("apiGroup", Resources.RbacGroup);
        foreach (var subject in body["subjects"].Objects())
        {
            if (subject.TextAt("kind") is "User" or "Group")
                subject.SetIfMissing("apiGroup", Resources.RbacGroup);
        }
    }

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var namespaced = body.TextAt("metadata", "namespace") is not null;
        switch (body.TextAt("roleRef", "kind"))
        {
            case "ClusterRole" or "Role" when namespaced:
            case "ClusterRole":
                break;
            default:
                yield return Cause.Unsupported("roleRef.kind", body.TextAt("roleRef", "kind"), namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"]);
                break;
        }
        if (string.IsNullOrEmpty(body.TextAt("roleRef", "name")))
            yield return Cause.Required("roleRef.name");
        var i = 0;
        foreach (var subject in body["subjects"].Objects())
        {
            var at = $"subjects[{i++}]";
            if (string.IsNullOrEmpty(subject.TextAt("name")))
                yield return Cause.Required($"{at}.name");
            if (subject.TextAt("kind") is not ("ServiceAccount" or "User" or "Group"))
                yield return Cause.Unsupported($"{at}.kind", subject.TextAt("kind"), "ServiceAccount", "User", "Group");
            else if (subject.TextAt("kind") is "ServiceAccount" && string.IsNullOrEmpty(subject.TextAt("namespace")))
                yield return Cause.Required($"{at}.namespace");
        }
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old)
    {
        if (!Json.Same(body["roleRef"], old["roleRef"]))
            yield return Cause.Invalid("roleRef", body["roleRef"]?.DeepClone(), "cannot change roleRef");
    }
}
