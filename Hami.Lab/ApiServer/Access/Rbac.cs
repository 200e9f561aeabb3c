using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What somebody wants to do: to objects of a resource, or to a path that is none.</summary>
internal sealed record Deed(string Verb)
{
    public string Group { get; init; } = "";

    public string Resource { get; init; } = "";

    public string Subresource { get; init; } = "";

    public string Name { get; init; } = "";

    public string Namespace { get; init; } = "";

    /// <summary>Set where it is not about a resource.</summary>
    public string? Path { get; init; }
}

/// <summary>Who may do what: the rules of all roles that are bound to a user or to one of its groups (plugin/pkg/auth/authorizer/rbac).</summary>
internal sealed class Rbac(ObjectStore store)
{
    /// <summary>Whether the caller may, and by what.</summary>
    public (bool Allowed, string Reason) Decide(Caller who, Deed deed)
    {
        if (who.IsMaster)
            return (true, "");
        foreach (var (rule, reason) in RulesOf(who, deed.Path is null ? deed.Namespace : ""))
        {
            if (Allows(rule, deed))
                return (true, reason);
        }
        return (false, "");
    }

    /// <summary>All rules that hold for the caller in a namespace, each with how it came to hold.</summary>
    public IEnumerable<(JsonObject Rule, string Reason)> RulesOf(Caller who, string @namespace)
    {
        foreach (var binding in store.List(Resources.ClusterRoleBindings).Objects)
        {
            if (SubjectIn(binding.Body, who, "") is not { } subject)
                continue;
            var role = binding.Body.TextAt("roleRef", "name") ?? "";
            foreach (var rule in Rules(Resources.ClusterRoles, "", role))
                yield return (rule, $"RBAC: allowed by ClusterRoleBinding \"{binding.Name}\" of ClusterRole \"{role}\" to {subject}");
        }
        if (@namespace.Length == 0)
            yield break;
        foreach (var binding in store.List(Resources.RoleBindings, @namespace).Objects)
        {
            if (SubjectIn(binding.Body, who, @namespace) is not { } subject)
                continue;
            var (kind, role) = (binding.Body.TextAt("roleRef", "kind") ?? "", binding.Body.TextAt("roleRef", "name") ?? "");
            foreach (var rule in kind is "Role" ? Rules(Resources.Roles, @namespace, role) : Rules(Resources.ClusterRoles, "", role))
                yield return (rule, $"RBAC: allowed by RoleBinding \"{binding.Name}/{@namespace}\" of {kind} \"{role}\" to {subject}");
        }
    }

    private IEnumerable<JsonObject> Rules(Resource resource, string @namespace, string role) => store.Find(resource, @namespace, role)?.Body["rules"].Objects() ?? [];

    private static string? SubjectIn(JsonObject binding, Caller who, string @namespace)
    {
        foreach (var subject in binding["subjects"].Objects())
        {
            var name = subject.TextAt("name") ?? "";
            switch (subject.TextAt("kind"))
            {
                case "User" when name == who.Name:
                    return $"User \"{name}\"";
                case "Group" when who.Groups.Contains(name, StringComparer.Ordinal):
                    return $"Group \"{name}\"";
                case "ServiceAccount":
                    var from = subject.TextAt("namespace") ?? @namespace;
                    if (Caller.AccountName(from, name) == who.Name)
                        return $"ServiceAccount \"{name}/{from}\"";
                    break;
            }
        }
        return null;
    }

    private static bool Allows(JsonObject rule, Deed deed)
    {
        if (!Has(rule, "verbs", deed.Verb))
            return false;
        if (deed.Path is { } path)
            return rule["nonResourceURLs"].Texts().Any(u => u is "*" || u == path || (u.EndsWith('*') && path.StartsWith(u.TrimEnd('*'), StringComparison.Ordinal)));
        return Has(rule, "apiGroups", deed.Group) && rule["resources"].Texts().Any(r => IsOf(r, deed))
            && (rule.ListAt("resourceNames") is not { Count: > 0 } names || names.Texts().Contains(deed.Name, StringComparer.Ordinal));
    }

    private static bool IsOf(string pattern, Deed deed)
    {
        if (pattern is "*")
            return true;
        return deed.Subresource.Length == 0
            ? pattern == deed.Resource
            : pattern == $"{deed.Resource}/{deed.Subresource}" || pattern == $"*/{deed.Subresource}";
    }

    private static bool Has(JsonObject rule, string list, string value) => rule[list].Texts().Any(t => t is "*" || t == value);
}
