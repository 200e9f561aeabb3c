namespace Hami.Lab.ApiServer;

/// <summary>Stands at the door: who is it, does he speak for somebody else, and may he do this?</summary>
internal sealed class Guard(Rbac rbac, Tokens tokens)
{
    /// <summary>The token of the lab's own kubeconfig, which every lab before this one wrote too.</summary>
    public const string AdminToken = "lab";

    /// <summary>The caller of a request that may go on. Throws 401 or 403 in the server's words.</summary>
    public Caller Admit(HttpContext http)
    {
        var who = Identify(http.Request.Headers.Authorization.ToString()) ?? throw Unauthorized();
        who = Impersonated(who, http.Request.Headers);
        if (!who.IsMaster)
            Require(who, DeedOf(http));
        return who;
    }

    // Whoever says nothing is the administrator: client-go sends no credentials where there is no TLS, so kubectl could not say anything here.
    private Caller? Identify(string authorization)
    {
        const string scheme = "Bearer ";
        return authorization.Length == 0 ? Caller.Admin
            : authorization.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) && Holder(authorization[scheme.Length..].Trim(), out _) is { } holder
                // A token meant for somebody else opens no door here.
                && holder.Audiences.Contains(Tokens.Issuer, StringComparer.Ordinal) ? holder.Who
            : null;
    }

    /// <summary>Who a token belongs to, and whom it is meant for.</summary>
    public (Caller Who, string[] Audiences)? Holder(string token, out string why)
    {
        why = "";
        return token == AdminToken ? (Caller.Admin, [Tokens.Issuer]) : tokens.Read(token, out why);
    }

    private static KubernetesError Unauthorized() => new(401, "Unauthorized", "Unauthorized");

    private Caller Impersonated(Caller who, IHeaderDictionary headers)
    {
        const string extraPrefix = "Impersonate-Extra-";
        var (user, groups, uid) = (headers["Impersonate-User"].ToString(), headers["Impersonate-Group"].Select(g => g ?? "").ToArray(), headers["Impersonate-Uid"].ToString());
        var extra = headers.Where(h => h.Key.StartsWith(extraPrefix, StringComparison.OrdinalIgnoreCase))
            .ToDictionary(h => Uri.UnescapeDataString(h.Key[extraPrefix.Length..]).ToLowerInvariant(), h => h.Value.Select(v => v ?? "").ToArray(), StringComparer.Ordinal);
        if (user.Length == 0)
        {
            return groups.Length + extra.Count + uid.Length > 0
                ? throw new KubernetesError(500, "InternalError", "Internal error occurred: requested [] without impersonating a user")
                : who;
        }
        if (Caller.Account(user) is { } account)
            Require(who, new("impersonate") { Resource = "serviceaccounts", Namespace = account.Namespace, Name = account.Name });
        else
            Require(who, new("impersonate") { Resource = "users", Name = user });
        foreach (var group in groups)
            Require(who, new("impersonate") { Resource = "groups", Name = group });
        if (uid.Length > 0)
            Require(who, new("impersonate") { Group = "authentication.k8s.io", Resource = "uids", Name = uid });
        foreach (var (key, values) in extra)
        {
            foreach (var value in values)
                Require(who, new("impersonate") { Group = "authentication.k8s.io", Resource = "userextras", Subresource = key, Name = value });
        }
        if (groups.Length == 0 && Caller.Account(user) is { } alone)
            groups = Caller.AccountGroups(alone.Namespace);
        var all = user is "system:anonymous" ? Caller.Unauthenticated : Caller.Authenticated;
        if (!groups.Contains(all, StringComparer.Ordinal))
            groups = [.. groups, all];
        return new(user, uid, groups, extra);
    }

    private void Require(Caller who, Deed deed)
    {
        var (allowed, reason) = rbac.Decide(who, deed);
        if (!allowed)
            throw Forbidden(who, deed, reason);
    }

    // apiserver, responsewriters.Forbidden.
    private static KubernetesError Forbidden(Caller who, Deed deed, string reason)
    {
        var why = reason.Length > 0 ? $": {reason}" : "";
        if (deed.Path is { } path)
            return new(403, "Forbidden", $"forbidden: User \"{who.Name}\" cannot {deed.Verb} path \"{path}\"{why}", []);
        var resource = deed.Subresource.Length > 0 ? $"{deed.Resource}/{deed.Subresource}" : deed.Resource;
        var where = deed.Namespace.Length > 0 ? $"in the namespace \"{deed.Namespace}\"" : "at the cluster scope";
        var qualified = deed.Group.Length > 0 ? $"{deed.Resource}.{deed.Group}" : deed.Resource;
        var subject = deed.Name.Length > 0 ? $"{qualified} \"{deed.Name}\" is forbidden" : $"{qualified} is forbidden";
        var details = new System.Text.Json.Nodes.JsonObject();
        if (deed.Name.Length > 0)
            details["name"] = deed.Name;
        if (deed.Group.Length > 0)
            details["group"] = deed.Group;
        details["kind"] = deed.Resource;
        return new(403, "Forbidden", $"{subject}: User \"{who.Name}\" cannot {deed.Verb} resource \"{resource}\" in API group \"{deed.Group}\" {where}{why}", details);
    }

    // requestinfo.go: what a path and a method mean.
    private static Deed DeedOf(HttpContext http)
    {
        var (method, path) = (http.Request.Method, http.Request.Path.Value ?? "/");
        var (group, rest) = path.Split('/', StringSplitOptions.RemoveEmptyEntries) switch
        {
            ["api", _, .. var inside] when inside.Length > 0 => ("", inside),
            ["apis", var named, _, .. var inside] when inside.Length > 0 => (named, inside),
            _ => ("", null),
        };
        if (rest is null)
            return new(method.ToLowerInvariant()) { Path = path };
        var @namespace = "";
        if (rest is ["namespaces", var own, ..])
        {
            @namespace = own;
            if (rest.Length > 2 && rest[2] is not ("status" or "finalize"))
                rest = rest[2..];
        }
        var name = rest.ElementAtOrDefault(1) ?? "";
        var query = http.Request.Query;
        var verb = method switch
        {
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" => name.Length > 0 ? "delete" : "deletecollection",
            _ when name.Length > 0 => "get",
            _ => ListOptions.IsWatch(query) ? "watch" : "list",
        };
        // A list or a watch of one named object can be allowed by that name; nothing else is bound by a field selector.
        if (verb is "list" or "watch" && query["fieldSelector"].ToString().Split(',').FirstOrDefault(f => f.StartsWith("metadata.name=", StringComparison.Ordinal)) is { } only)
            name = only["metadata.name=".Length..].TrimStart('=');
        return new(verb) { Group = group, Resource = rest[0], Subresource = rest.ElementAtOrDefault(2) ?? "", Name = name, Namespace = @namespace };
    }
}
