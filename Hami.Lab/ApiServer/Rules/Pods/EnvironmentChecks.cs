using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Hami.Lab.ApiServer;

/// <summary>Environment variables of a container and where their values come from.</summary>
internal static partial class EnvironmentChecks
{
    private static readonly string[] Sources = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"];

    private static readonly string[] OfVariables =
    [
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    ];

    private static readonly string[] OfFiles = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

    // Known to the API, and still nothing that a container can be told.
    private static readonly string[] OfNothing = ["spec.restartPolicy", "spec.schedulerName", "status.phase"];

    private static readonly string[] Amounts =
        ["limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"];

    private static readonly string[] Sizes = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

    public static void Check(JsonNode? variables, string at, Causes causes)
    {
        foreach (var (variable, here) in variables.Numbered(at))
        {
            if (causes.Present(variable, "name", here))
                causes.Invalid($"{here}.name", variable.TextAt("name")!, Formats.EnvironmentName(variable.TextAt("name")!));
            if (variable.MapAt("valueFrom") is { } from)
                CheckSource(variable, from, $"{here}.valueFrom", causes);
        }
    }

    public static void CheckSources(JsonNode? sources, string at, Causes causes)
    {
        foreach (var (source, here) in sources.Numbered(at))
        {
            if (source.TextAt("prefix") is { Length: > 0 } prefix)
                causes.Invalid($"{here}.prefix", prefix, Formats.EnvironmentName(prefix));
            var named = ((string[])["configMapRef", "secretRef"]).Where(s => source[s] is JsonObject).ToArray();
            foreach (var kind in named)
            {
                if (causes.Present(source.MapAt(kind)!, "name", $"{here}.{kind}"))
                    causes.Invalid($"{here}.{kind}.name", source.TextAt(kind, "name")!, Formats.Subdomain(source.TextAt(kind, "name")!.TrimEnd('-')));
            }
            if (named.Length == 0)
                causes.Invalid(at, "", "must specify one of: `configMapRef` or `secretRef`");
            else if (named.Length > 1)
                causes.Invalid(at, "", "may not have more than one field specified at a time");
        }
    }

    /// <summary>A field of the pod that a variable or a file shows.</summary>
    public static void CheckField(JsonObject field, string at, bool inFile, Causes causes)
    {
        if (field.TextAt("fieldPath") is not { Length: > 0 } path)
        {
            causes.Required($"{at}.fieldPath");
            return;
        }
        if (Subscripted().Match(path) is { Success: true } subscripted)
        {
            var (map, key) = (subscripted.Groups["map"].Value, subscripted.Groups["key"].Value);
            if (map is "metadata.annotations" or "metadata.labels")
                causes.Invalid(at, key, Formats.QualifiedName(map is "metadata.labels" ? key : key.ToLowerInvariant()));
            else
                causes.Invalid($"{at}.fieldPath", path, $"error converting fieldPath: field label does not support subscript: {path}");
        }
        else if (!OfVariables.Concat(OfFiles).Concat(OfNothing).Contains(path, StringComparer.Ordinal))
        {
            causes.Invalid($"{at}.fieldPath", path, $"error converting fieldPath: field label not supported: {path}");
        }
        else if (!(inFile ? OfFiles : OfVariables).Contains(path, StringComparer.Ordinal))
        {
            causes.Unsupported($"{at}.fieldPath", path, inFile ? OfFiles : OfVariables);
        }
    }

    /// <summary>An amount of a container that a variable or a file shows.</summary>
    public static void CheckAmount(JsonObject amount, string at, bool inFile, Causes causes)
    {
        var resource = amount.TextAt("resource") ?? "";
        if (inFile && string.IsNullOrEmpty(amount.TextAt("containerName")))
            causes.Required($"{at}.containerName");
        else if (resource.Length == 0)
            causes.Required($"{at}.resource");
        else if (!Amounts.Contains(resource, StringComparer.Ordinal) && !HugePages().IsMatch(resource))
            causes.Unsupported($"{at}.resource", resource, Amounts);
        if (amount.TextAt("divisor") is not { } divisor || Quantities.Amount(divisor) == 0)
            return;
        if (resource is "limits.cpu" or "requests.cpu")
        {
            if (divisor is not ("1m" or "1"))
                causes.Invalid($"{at}.divisor", resource, "only divisor's values 1m and 1 are supported with the cpu resource");
        }
        else if (!Sizes.Contains(divisor, StringComparer.Ordinal) && (Amounts.Contains(resource, StringComparer.Ordinal) || HugePages().IsMatch(resource)))
        {
            var kind = HugePages().IsMatch(resource) ? "hugepages" : resource.EndsWith("memory", StringComparison.Ordinal) ? "memory" : "local ephemeral storage";
            causes.Invalid($"{at}.divisor", resource, $"only divisor's values {string.Join(", ", Sizes)} are supported with the {kind} resource");
        }
    }

    private static void CheckSource(JsonObject variable, JsonObject from, string at, Causes causes)
    {
        if (from.MapAt("fieldRef") is { } field)
            CheckField(field, $"{at}.fieldRef", inFile: false, causes);
        if (from.MapAt("resourceFieldRef") is { } amount)
            CheckAmount(amount, $"{at}.resourceFieldRef", inFile: false, causes);
        foreach (var kind in ((string[])["configMapKeyRef", "secretKeyRef"]).Where(k => from[k] is JsonObject))
        {
            causes.Invalid($"{at}.{kind}.name", from.TextAt(kind, "name") ?? "", Formats.Subdomain(from.TextAt(kind, "name") ?? ""));
            if (causes.Present(from.MapAt(kind)!, "key", $"{at}.{kind}"))
                causes.Invalid($"{at}.{kind}.key", from.TextAt(kind, "key")!, Formats.ConfigKey(from.TextAt(kind, "key")!));
        }
        // A file's key is checked by whoever reads it.
        var sources = Sources.Append("fileKeyRef").Count(s => from[s] is JsonObject);
        if (sources == 0)
            causes.Invalid(at, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
        else if (!string.IsNullOrEmpty(variable.TextAt("value")))
            causes.Invalid(at, "", "may not be specified when `value` is not empty");
        else if (sources > 1)
            causes.Invalid(at, "", "may not have more than one field specified at a time");
    }

    [GeneratedRegex(@"^(?<map>.+)\['(?<key>.*)'\]\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Subscripted();

    [GeneratedRegex(@"^(limits|requests)\.hugepages-", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex HugePages();
}
