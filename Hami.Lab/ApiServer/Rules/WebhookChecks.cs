using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What admissionregistration.k8s.io/v1 refuses in a webhook configuration.</summary>
internal static class WebhookChecks
{
    private const string Form = "; desired format: https://host[/path]";

    public static IReadOnlyList<Cause> Of(JsonObject body)
    {
        var causes = new Causes();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (webhook, at) in body["webhooks"].Numbered("webhooks"))
        {
            CheckName(webhook.TextAt("name") ?? "", $"{at}.name", causes);
            foreach (var (rule, here) in webhook["rules"].Numbered($"{at}.rules"))
                CheckRule(rule, here, causes);
            causes.OneOf(webhook, "failurePolicy", at, "Fail", "Ignore");
            causes.OneOf(webhook, "matchPolicy", at, "Equivalent", "Exact");
            if (webhook.TextAt("sideEffects") is null)
                causes.Required($"{at}.sideEffects", "must specify one of None, NoneOnDryRun");
            causes.OneOf(webhook, "sideEffects", at, "None", "NoneOnDryRun");
            if (webhook.NumberAt("timeoutSeconds") is { } seconds and (< 1 or > 30))
                causes.Invalid($"{at}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds");
            causes.Selector(webhook.MapAt("namespaceSelector"), $"{at}.namespaceSelector");
            causes.Selector(webhook.MapAt("objectSelector"), $"{at}.objectSelector");
            causes.OneOf(webhook, "reinvocationPolicy", at, "IfNeeded", "Never");
            CheckClient(webhook.MapAt("clientConfig") ?? [], $"{at}.clientConfig", causes);
            // CEL is not evaluated here, and a condition that is not asked would be a webhook that is called too often.
            if (webhook["matchConditions"] is JsonArray { Count: > 0 })
                causes.Forbidden($"{at}.matchConditions", "the lab's API server does not evaluate CEL matchConditions");
            CheckVersions(webhook["admissionReviewVersions"], $"{at}.admissionReviewVersions", causes);
            if (webhook.TextAt("name") is { Length: > 0 } name && !names.Add(name))
                causes.Duplicate($"{at}.name", name);
        }
        return causes.Found;
    }

    private static void CheckName(string name, string at, Causes causes)
    {
        if (name.Length == 0)
            causes.Required(at);
        else if (Formats.Subdomain(name).ToArray() is { Length: > 0 } wrong)
            causes.Invalid(at, name, string.Join(',', wrong));
        else if (name.Split('.').Length < 3)
            causes.Invalid(at, name, "should be a domain with at least three segments separated by dots");
    }

    private static void CheckRule(JsonObject rule, string at, Causes causes)
    {
        var operations = rule["operations"].Texts().ToArray();
        if (operations.Length == 0)
            causes.Required($"{at}.operations");
        CheckWildcard(rule, "operations", "operations", at, causes);
        for (var i = 0; i < operations.Length; i++)
        {
            if (operations[i] is not ("*" or "CREATE" or "UPDATE" or "DELETE" or "CONNECT"))
                causes.Unsupported($"{at}.operations[{i}]", operations[i], "*", "CONNECT", "CREATE", "DELETE", "UPDATE");
        }
        foreach (var (field, word) in new[] { ("apiGroups", "API groups"), ("apiVersions", "API versions") })
        {
            if (rule[field] is not JsonArray { Count: > 0 })
                causes.Required($"{at}.{field}");
            CheckWildcard(rule, field, word, at, causes);
        }
        foreach (var (version, i) in rule["apiVersions"].Texts().Select((v, i) => (v, i)).Where(v => v.v.Length == 0))
            causes.Required($"{at}.apiVersions[{i}]");
        CheckResources(rule["resources"], $"{at}.resources", causes);
        causes.OneOf(rule, "scope", at, "*", "Cluster", "Namespaced");
    }

    private static void CheckWildcard(JsonObject rule, string field, string word, string at, Causes causes)
    {
        if (rule[field] is JsonArray { Count: > 1 } list && list.Texts().Contains("*", StringComparer.Ordinal))
            causes.Invalid($"{at}.{field}", list.DeepClone(), $"if '*' is present, must not specify other {word}");
    }

    private static void CheckResources(JsonNode? resources, string at, Causes causes)
    {
        var all = resources.Texts().ToArray();
        if (all.Length == 0)
            causes.Required(at);
        var (whole, everywhere) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        for (var i = 0; i < all.Length; i++)
        {
            if (all[i].Length == 0)
                causes.Required($"{at}[{i}]");
            if (all[i].Split('/', 2) is not [var resource, var part])
                continue;
            if (whole.Contains(resource))
                causes.Invalid($"{at}[{i}]", all[i], $"if '{resource}/*' is present, must not specify {all[i]}");
            if (everywhere.Contains(part))
                causes.Invalid($"{at}[{i}]", all[i], $"if '*/{part}' is present, must not specify {all[i]}");
            if (part is "*")
                whole.Add(resource);
            if (resource is "*")
                everywhere.Add(part);
        }
        if (all.Length > 1 && all.Contains("*/*", StringComparer.Ordinal))
            causes.Invalid(at, resources!.DeepClone(), "if '*/*' is present, must not specify other resources");
        // The last of the plain names decides, as in a real server.
        if (all.Contains("*", StringComparer.Ordinal) && Array.FindLast(all, r => r.Length > 0 && !r.Contains('/', StringComparison.Ordinal)) is not "*")
            causes.Invalid(at, resources!.DeepClone(), "if '*' is present, must not specify other resources without subresources");
    }

    private static void CheckClient(JsonObject client, string at, Causes causes)
    {
        if (client["url"] is null == client["service"] is null)
            causes.Required(at, "exactly one of url or service is required");
        else if (client.TextAt("url") is { } url)
            CheckUrl(url, $"{at}.url", causes);
        else
            CheckService(client.MapAt("service") ?? [], $"{at}.service", causes);
    }

    private static void CheckUrl(string text, string at, Causes causes)
    {
        var url = Uri.TryCreate(text, UriKind.Absolute, out var parsed) ? parsed : null;
        // A scheme alone is a URL to Go, and none to .NET.
        if ((url?.Scheme ?? (text.StartsWith("https:", StringComparison.Ordinal) ? "https" : "")) is not "https" and var scheme)
            causes.Invalid(at, scheme, $"'https' is the only allowed URL scheme{Form}");
        if (string.IsNullOrEmpty(url?.Host))
            causes.Invalid(at, "", $"host must be provided{Form}");
        if (url?.UserInfo is { Length: > 0 } user)
            causes.Invalid(at, user, "user information is not permitted in the URL");
        if (url?.Fragment is { Length: > 1 } fragment)
            causes.Invalid(at, fragment[1..], "fragments are not permitted in the URL");
        if (url?.Query is { Length: > 1 } query)
            causes.Invalid(at, query[1..], "query parameters are not permitted in the URL");
    }

    private static void CheckService(JsonObject service, string at, Causes causes)
    {
        // A real server calls its check with the two in each other's place: the field named is the other one.
        if (string.IsNullOrEmpty(service.TextAt("namespace")))
            causes.Required($"{at}.name", "service name is required");
        if (string.IsNullOrEmpty(service.TextAt("name")))
            causes.Required($"{at}.namespace", "service namespace is required");
        if (service.NumberAt("port") is { } port and (< 1 or > 65535))
            causes.Invalid($"{at}.port", port, $"port is not valid: {Formats.Between(1, 65535)}");
        if (service.TextAt("path") is { Length: > 0 } path and not "/")
            CheckPath(path, $"{at}.path", causes);
    }

    private static void CheckPath(string path, string at, Causes causes)
    {
        if (path is "//")
        {
            causes.Invalid(at, path, "segment[0] may not be empty");
            return;
        }
        if (!path.StartsWith('/'))
            causes.Invalid(at, path, "must start with a '/'");
        var steps = path[1..];
        if (steps.EndsWith('/'))
            steps = steps[..^1];
        foreach (var (step, i) in steps.Split('/').Select((s, i) => (s, i)))
        {
            if (step.Length == 0)
                causes.Invalid(at, path, $"segment[{i}] may not be empty");
            else
                causes.Invalid(at, path, Formats.Subdomain(step).Select(why => $"segment[{i}]: {why}"));
        }
    }

    private static void CheckVersions(JsonNode? versions, string at, Causes causes)
    {
        var all = versions.Texts().ToArray();
        if (all.Length == 0)
        {
            causes.Required(at, "must specify one of v1, v1beta1");
            return;
        }
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < all.Length; i++)
        {
            if (seen.Add(all[i]))
                causes.Invalid($"{at}[{i}]", all[i], Formats.OldLabel(all[i]));
            else
                causes.Invalid($"{at}[{i}]", all[i], "duplicate version");
        }
        if (!all.Any(v => v is "v1" or "v1beta1"))
            causes.Invalid(at, versions!.DeepClone(), "must include at least one of v1, v1beta1");
    }
}
