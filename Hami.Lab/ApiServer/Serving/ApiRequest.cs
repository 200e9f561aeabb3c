namespace Hami.Lab.ApiServer;

/// <summary>What a path under <c>/api</c> or <c>/apis</c> names. An empty name is the collection; a null namespace is all of them.</summary>
internal sealed record ApiRequest(Resource Resource, string? Namespace, string Name, string Subresource)
{
    public static ApiRequest? Parse(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries) switch
    {
        ["api", var version, .. var rest] => Parse("", version, rest),
        ["apis", var group, var version, .. var rest] => Parse(group, version, rest),
        _ => null,
    };

    private static ApiRequest? Parse(string group, string version, string[] rest)
    {
        // /namespaces/x/status is the namespace's own status, /namespaces/x/pods is what is inside it.
        var inside = rest is ["namespaces", _, _, ..] && rest[2] is not ("status" or "finalize");
        var (@namespace, parts) = inside ? (rest[1], rest[2..]) : (null, rest);
        if (parts.Length is 0 or > 3 || Resources.Find(group, version, parts[0]) is not { } resource)
            return null;
        if (inside != resource.Namespaced && !(resource.Namespaced && parts.Length == 1))
            return null;
        return new(resource, resource.Namespaced ? @namespace : "", parts.ElementAtOrDefault(1) ?? "", parts.ElementAtOrDefault(2) ?? "");
    }
}
