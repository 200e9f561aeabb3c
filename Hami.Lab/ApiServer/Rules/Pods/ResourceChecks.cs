using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What containers ask for and are limited to; the names of resources, wherever they stand.</summary>
internal static class ResourceChecks
{
    private const string Pages = "hugepages-";

    // Counted in the API, so there is no half of one.
    private static readonly HashSet<string> Counted = new(StringComparer.Ordinal)
    {
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    };

    private static readonly HashSet<string> OfContainers = new(StringComparer.Ordinal) { "cpu", "memory", "ephemeral-storage" };

    private static readonly HashSet<string> OfQuotas = new(Counted, StringComparer.Ordinal)
    {
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    };

    public static void Check(JsonObject? resources, string at, IEnumerable<JsonObject> claims, Causes causes)
    {
        if (resources is null)
            return;
        var (limits, requests) = (resources.MapAt("limits") ?? [], resources.MapAt("requests") ?? []);
        CheckAmounts(limits, $"{at}.limits", causes);
        foreach (var (name, value) in requests)
        {
            CheckAmount(name, value.Text(), $"{at}.requests[{name}]", causes);
            CheckLimit(name, value.Text(), limits.TextAt(name), at, causes);
            CheckPages(name, value.Text(), $"{at}.requests[{name}]", causes);
        }
        var names = limits.Concat(requests).Select(r => r.Key).ToArray();
        if (Array.Exists(names, IsPages) && !Array.Exists(names, n => n is "cpu" or "memory"))
            causes.Forbidden(at, "HugePages require cpu or memory");
        CheckClaims(resources["claims"], $"{at}.claims", claims.Select(c => c.TextAt("name") ?? "").Where(n => n.Length > 0).Order(StringComparer.Ordinal).ToArray(), causes);
    }

    public static void CheckAmounts(JsonObject amounts, string at, Causes causes)
    {
        foreach (var (name, value) in amounts)
        {
            CheckAmount(name, value.Text(), $"{at}[{name}]", causes);
            CheckPages(name, value.Text(), $"{at}[{name}]", causes);
        }
    }

    public static void CheckQuota(JsonObject? amounts, string at, Causes causes)
    {
        foreach (var (name, value) in amounts ?? [])
        {
            var here = $"{at}[{name}]";
            // A quota's names are no standard resource's where they are neither fully qualified nor its own, and both are said.
            CheckName(name, here, causes);
            if (!name.Contains('/', StringComparison.Ordinal) && !OfQuotas.Contains(name) && !IsQuotaPages(name))
                causes.Invalid(here, name, "must be a standard resource for quota");
            CheckValue(name, value.Text(), here, causes);
        }
    }

    /// <summary>Not negative, and whole where halves make no sense.</summary>
    public static void CheckValue(string name, string value, string at, Causes causes)
    {
        var amount = Quantities.Amount(value);
        if (amount < 0)
            causes.Invalid(at, value, Formats.Negative);
        if ((Counted.Contains(name) || IsExtended(name)) && amount != decimal.Truncate(amount))
            causes.Invalid(at, value, "must be an integer");
    }

    public static void CheckResizing(JsonNode? policies, string at, string? restarts, Causes causes)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (policy, here) in policies.Numbered(at))
        {
            var (resource, restart) = (policy.TextAt("resourceName") ?? "", policy.TextAt("restartPolicy") ?? "");
            if (!seen.Add(resource))
                causes.Duplicate(here, resource);
            if (resource.Length == 0)
                causes.Required(at);
            else if (resource is not ("cpu" or "memory"))
                causes.Unsupported(at, resource, "cpu", "memory");
            if (restart.Length == 0)
                causes.Required(at);
            else if (restart is not ("NotRequired" or "RestartContainer"))
                causes.Unsupported(at, restart, "NotRequired", "RestartContainer");
            if (restarts is "Never" && restart is not "NotRequired")
                causes.Invalid(at, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'");
        }
    }

    private static void CheckAmount(string name, string value, string at, Causes causes)
    {
        CheckName(name, at, causes);
        if (!name.Contains('/', StringComparison.Ordinal))
        {
            if (!OfContainers.Contains(name) && !IsPages(name))
                causes.Invalid(at, name, "must be a standard resource for containers");
        }
        else if (!IsNative(name) && !IsExtended(name))
        {
            causes.Invalid(at, name, "doesn't follow extended resource name standard");
        }
        CheckValue(name, value, at, causes);
    }

    private static void CheckName(string name, string at, Causes causes)
    {
        var wrong = Formats.QualifiedName(name).ToArray();
        causes.Invalid(at, name, wrong);
        var standard = OfContainers.Contains(name) || OfQuotas.Contains(name) || name is "storage" || IsQuotaPages(name);
        if (wrong.Length == 0 && !standard && !name.Contains('/', StringComparison.Ordinal))
            causes.Invalid(at, name, "must be a standard resource type or fully qualified");
    }

    private static void CheckLimit(string name, string asked, string? limit, string at, Causes causes)
    {
        var shared = IsNative(name) && !IsPages(name);
        if (limit is null)
        {
            if (!shared)
                causes.Required($"{at}.limits", "Limit must be set for non overcommitable resources");
        }
        else if (!shared && Quantities.Amount(asked) != Quantities.Amount(limit))
        {
            causes.Invalid($"{at}.requests", asked, $"must be equal to {name} limit of {limit}");
        }
        else if (Quantities.Amount(asked) > Quantities.Amount(limit))
        {
            causes.Invalid($"{at}.requests", asked, $"must be less than or equal to {name} limit of {limit}");
        }
    }

    private static void CheckPages(string name, string value, string at, Causes causes)
    {
        if (!IsPages(name))
            return;
        var size = PageSize(name);
        if (size is null or <= 0 || Quantities.Amount(value) % size != 0)
            causes.Invalid(at, value, $"{value} is not positive integer multiple of {name}");
    }

    private static decimal? PageSize(string name)
    {
        try
        {
            return Quantities.Amount(name[Pages.Length..]);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static void CheckClaims(JsonNode? used, string at, string[] known, Causes causes)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (claim, here) in used.Numbered(at))
        {
            if (claim.TextAt("name") is not { Length: > 0 } name)
            {
                causes.Required(here);
                continue;
            }
            if (!seen.Add(claim.TextAt("request") is { Length: > 0 } request ? $"{name}/{request}" : name))
                causes.Duplicate(here, name);
            if (!known.Contains(name, StringComparer.Ordinal))
                causes.NotFound(here, name, "must be one of the names in pod.spec.resourceClaims" + (known.Length == 0 ? " which is empty" : $": {string.Join(", ", known)}"));
        }
    }

    private static bool IsPages(string name) => name.StartsWith(Pages, StringComparison.Ordinal);

    private static bool IsQuotaPages(string name) => IsPages(name) || name.StartsWith("requests." + Pages, StringComparison.Ordinal);

    // A name without a domain, or with Kubernetes' own.
    private static bool IsNative(string name) => !name.Contains('/', StringComparison.Ordinal) || name.Contains("kubernetes.io/", StringComparison.Ordinal);

    // It must still be a name when a quota puts "requests." before it.
    private static bool IsExtended(string name) =>
        !IsNative(name) && !name.StartsWith("requests.", StringComparison.Ordinal) && !Formats.QualifiedName($"requests.{name}").Any();
}
