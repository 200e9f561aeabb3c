using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Hami.Lab.ApiServer;

/// <summary>What holds for the metadata of every object (apimachinery, api/validation).</summary>
internal static partial class ObjectChecks
{
    private const int AnnotationBytes = 256 * 1024;

    public static IEnumerable<Cause> Of(JsonObject body, Resource resource)
    {
        var metadata = body.Child("metadata");
        var name = metadata.TextAt("name");
        if (string.IsNullOrEmpty(name))
            yield return Cause.Required("metadata.name", "name or generateName is required");
        else if ((ReferenceEquals(resource, Resources.Namespaces) ? Label(name) : RoleRules.AreAbout(resource) ? PathSegment(name) : Subdomain(name)) is { } why)
            yield return Cause.Invalid("metadata.name", name, why);
        foreach (var cause in OfLabels(metadata.MapAt("labels") ?? []).Concat(OfAnnotations(metadata.MapAt("annotations") ?? [])))
            yield return cause;
        foreach (var cause in metadata["ownerReferences"].Objects().SelectMany(OfOwner))
            yield return cause;
        foreach (var finalizer in Texts(metadata["finalizers"]))
        {
            foreach (var wrong in QualifiedName(finalizer))
                yield return Cause.Invalid("metadata.finalizers", finalizer, wrong);
        }
    }

    /// <summary>Why a text cannot stand between two slashes of a path; null when it can. Enough for roles and their bindings.</summary>
    public static string? PathSegment(string text) => text is "." or ".." ? $"may not be '{text}'"
        : text.Contains('/', StringComparison.Ordinal) ? "may not contain '/'"
        : text.Contains('%', StringComparison.Ordinal) ? "may not contain '%'"
        : null;

    /// <summary>What an update may not do to the metadata of any object.</summary>
    public static IEnumerable<Cause> OfUpdate(JsonObject body, JsonObject old)
    {
        if (old.TextAt("metadata", "deletionTimestamp") is null)
            yield break;
        var added = Texts(body.At("metadata", "finalizers")).Except(Texts(old.At("metadata", "finalizers")), StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        if (added.Length > 0)
        {
            yield return Cause.Forbidden("metadata.finalizers",
                $"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{string.Join(", ", added.Select(a => $"\"{a}\""))}}}");
        }
    }

    /// <summary>Why a text is no DNS subdomain; null when it is one.</summary>
    public static string? Subdomain(string text) => text.Length > 253
        ? "must be no more than 253 bytes"
        : SubdomainName().IsMatch(text)
            ? null
            : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character "
                + @"(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    /// <summary>Why a text is no DNS label; null when it is one.</summary>
    public static string? Label(string text) => text.Length > 63
        ? "must be no more than 63 bytes"
        : LabelName().IsMatch(text)
            ? null
            : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character "
                + "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

    private static IEnumerable<Cause> OfLabels(JsonObject labels)
    {
        foreach (var (key, value) in labels)
        {
            foreach (var wrong in QualifiedName(key))
                yield return Cause.Invalid("metadata.labels", key, wrong);
            var text = value?.GetValue<string>() ?? "";
            if (text.Length > 63)
                yield return Cause.Invalid("metadata.labels", text, "must be no more than 63 bytes");
            if (!LabelValue().IsMatch(text))
                yield return Cause.Invalid("metadata.labels", text, ValueWords);
        }
    }

    private static IEnumerable<Cause> OfAnnotations(JsonObject annotations)
    {
        var bytes = 0L;
        foreach (var (key, value) in annotations)
        {
            bytes += Encoding.UTF8.GetByteCount(key) + Encoding.UTF8.GetByteCount(value?.GetValue<string>() ?? "");
            foreach (var wrong in QualifiedName(key.ToLowerInvariant()))
                yield return Cause.Invalid("metadata.annotations", key, wrong);
        }
        if (bytes > AnnotationBytes)
            yield return Cause.TooLong("metadata.annotations", AnnotationBytes);
    }

    private static IEnumerable<Cause> OfOwner(JsonObject owner)
    {
        if (string.IsNullOrEmpty(owner.TextAt("apiVersion")))
            yield return Cause.Invalid("metadata.ownerReferences.apiVersion", "", "version must not be empty");
        foreach (var field in (string[])["kind", "name", "uid"])
        {
            if (string.IsNullOrEmpty(owner.TextAt(field)))
                yield return Cause.Invalid($"metadata.ownerReferences.{field}", "", "must not be empty");
        }
    }

    /// <summary>What is wrong with a name that may have a domain before it (util/validation, IsQualifiedName).</summary>
    private static IEnumerable<string> QualifiedName(string text)
    {
        var parts = text.Split('/');
        if (parts.Length > 2)
        {
            yield return $"a qualified name {NameWords} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            yield break;
        }
        if (parts.Length == 2)
        {
            if (parts[0].Length == 0)
                yield return "prefix part must be non-empty";
            else if (Subdomain(parts[0]) is { } why)
                yield return $"prefix part {why}";
        }
        var name = parts[^1];
        if (name.Length == 0)
            yield return "name part must be non-empty";
        else if (name.Length > 63)
            yield return "name part must be no more than 63 bytes";
        if (!PlainName().IsMatch(name))
            yield return $"name part {NameWords}";
    }

    private static IEnumerable<string> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(i => i?.GetValue<string>() ?? "");

    private const string NameWords =
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

    private const string ValueWords =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex SubdomainName();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex LabelName();

    [GeneratedRegex(@"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PlainName();

    [GeneratedRegex(@"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex LabelValue();
}
