using System.Text;
using System.Text.RegularExpressions;

namespace Hami.Lab.ApiServer;

/// <summary>The forms of names and values. Each says in the server's words in what ways a text is wrong (apimachinery, util/validation).</summary>
internal static partial class Formats
{
    public const string Negative = "must be greater than or equal to 0";
    public const string NotPositive = "must be greater than zero";
    public const string Immutable = "field is immutable";
    public const string FileMode = "must be a number between 0 and 0777 (octal), both inclusive";

    private const string NameWords =
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

    public static string Between(long least, long most) => $"must be between {least} and {most}, inclusive";

    /// <summary>A DNS subdomain, as nearly all objects are named.</summary>
    public static IEnumerable<string> Subdomain(string text)
    {
        if (Bytes(text) > 253)
            yield return "must be no more than 253 bytes";
        if (!SubdomainName().IsMatch(text))
            yield return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character "
                + @"(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    }

    /// <summary>A DNS label, as namespaces, containers and volumes are named.</summary>
    public static IEnumerable<string> Label(string text)
    {
        if (Bytes(text) > 63)
            yield return "must be no more than 63 bytes";
        if (LabelName().IsMatch(text))
            yield break;
        yield return SubdomainName().IsMatch(text)
            ? "must not contain dots"
            : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character "
                + "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
    }

    /// <summary>The older, stricter label that does not begin with a digit.</summary>
    public static IEnumerable<string> OldLabel(string text)
    {
        if (Bytes(text) > 63)
            yield return "must be no more than 63 bytes";
        if (!OldLabelName().IsMatch(text))
            yield return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character "
                + "(e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
    }

    /// <summary>A name that may have a domain before it: keys of labels, annotations and taints, names of resources.</summary>
    public static IEnumerable<string> QualifiedName(string text)
    {
        var parts = text.Split('/');
        if (parts.Length > 2)
        {
            yield return $"a valid label key {NameWords} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            yield break;
        }
        if (parts.Length == 2)
        {
            foreach (var why in parts[0].Length == 0 ? ["must be non-empty"] : Subdomain(parts[0]))
                yield return $"prefix part {why}";
        }
        var name = parts[^1];
        if (name.Length == 0)
            yield return "name part must be non-empty";
        else if (Bytes(name) > 63)
            yield return "name part must be no more than 63 bytes";
        if (!PlainName().IsMatch(name))
            yield return $"name part {NameWords}";
    }

    public static IEnumerable<string> LabelValue(string text)
    {
        if (Bytes(text) > 63)
            yield return "must be no more than 63 bytes";
        if (text.Length > 0 && !PlainName().IsMatch(text))
            yield return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                + "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    }

    /// <summary>A key of a ConfigMap or a Secret, which becomes a file's name.</summary>
    public static IEnumerable<string> ConfigKey(string text)
    {
        if (Bytes(text) > 253)
            yield return "must be no more than 253 bytes";
        if (!ConfigKeyName().IsMatch(text))
            yield return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
                + "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
        if (text is "." or "..")
            yield return $"must not be '{text}'";
        else if (text.StartsWith("..", StringComparison.Ordinal))
            yield return "must not start with '..'";
    }

    /// <summary>The name of an environment variable; since 1.34 nearly anything.</summary>
    public static IEnumerable<string> EnvironmentName(string text)
    {
        if (text.Length == 0)
            yield return "environment variable name must be non-empty";
        if (text.Any(c => c is < ' ' or > '~' or '='))
            yield return "a valid environment variable name must consist only of printable ASCII characters other than '='";
    }

    public static IEnumerable<string> PortName(string text)
    {
        if (text.Length > 15)
            yield return "must be no more than 15 bytes";
        if (!PortLetters().IsMatch(text))
            yield return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
        if (!text.Any(char.IsAsciiLetterLower))
            yield return "must contain at least one letter (a-z)";
        if (text.Contains("--", StringComparison.Ordinal))
            yield return "must not contain consecutive hyphens";
        if (text.StartsWith('-') || text.EndsWith('-'))
            yield return "must not begin or end with a hyphen";
    }

    public static IEnumerable<string> HeaderName(string text)
    {
        if (!Header().IsMatch(text))
            yield return "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
    }

    /// <summary>A path below a directory, which it cannot leave.</summary>
    public static IEnumerable<string> PathBelow(string text)
    {
        if (text.StartsWith('/'))
            yield return "must be a relative path";
        foreach (var why in PathWithoutSteps(text))
            yield return why;
    }

    public static IEnumerable<string> PathWithoutSteps(string text)
    {
        if (text.Split('/').Contains("..", StringComparer.Ordinal))
            yield return "must not contain '..'";
    }

    /// <summary>A file in a volume; a kubelet keeps names that begin with two dots for itself.</summary>
    public static IEnumerable<string> FileInVolume(string text)
    {
        foreach (var why in PathBelow(text))
            yield return why;
        if (text.StartsWith("..", StringComparison.Ordinal) && !text.StartsWith("../", StringComparison.Ordinal))
            yield return "must not start with '..'";
    }

    /// <summary>A finalizer of the older groups: one of three words, or a name with its domain.</summary>
    public static IEnumerable<string> OldFinalizer(string text) => text.Contains('/', StringComparison.Ordinal) || text is "kubernetes" or "orphan" or "foregroundDeletion"
        ? []
        : ["name is neither a standard finalizer name nor is it fully qualified"];

    public static IEnumerable<string> Address(string text)
    {
        if (!System.Net.IPAddress.TryParse(text, out _) || (!text.Contains(':', StringComparison.Ordinal) && text.Split('.').Length != 4))
            yield return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    }

    private static int Bytes(string text) => Encoding.UTF8.GetByteCount(text);

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex SubdomainName();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex LabelName();

    [GeneratedRegex(@"^[a-z]([-a-z0-9]*[a-z0-9])?\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex OldLabelName();

    [GeneratedRegex(@"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PlainName();

    [GeneratedRegex(@"^[-._a-zA-Z0-9]+\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex ConfigKeyName();

    [GeneratedRegex(@"^[-a-z0-9]+\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PortLetters();

    [GeneratedRegex(@"^[-A-Za-z0-9]+\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Header();
}
