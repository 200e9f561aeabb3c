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
        else if ((resource == Resources.Namespaces ? Label(name) : Subdomain(name)) is { } why)
            yield return Cause.Invalid("metadata.name", name, why);
        var bytes = 0L;
        foreach (var (key, value) in metadata["annotations"] as JsonObject ?? [])
        {
            bytes += key.Length + System.Text.Encoding.UTF8.GetByteCount(value?.GetValue<string>() ?? "");
            if (!QualifiedName().IsMatch(key.ToLowerInvariant()))
                yield return Cause.Invalid("metadata.annotations", key, NameWords);
        }
        if (bytes > AnnotationBytes)
            yield return Cause.TooLong("metadata.annotations", AnnotationBytes);
        foreach (var (key, value) in metadata["labels"] as JsonObject ?? [])
        {
            if (!QualifiedName().IsMatch(key))
                yield return Cause.Invalid("metadata.labels", key, NameWords);
            if (!LabelValue().IsMatch(value?.GetValue<string>() ?? ""))
                yield return Cause.Invalid("metadata.labels", value?.DeepClone(), ValueWords);
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

    private const string NameWords =
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

    private const string ValueWords =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex SubdomainName();

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex LabelName();

    [GeneratedRegex(@"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex QualifiedName();

    [GeneratedRegex("^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex LabelValue();
}
