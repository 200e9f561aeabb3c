using System.Globalization;

namespace Hami.Lab.ApiServer;

/// <summary>Times inside JSON (RFC 3339), and where a text stops being one. A client that cannot read one object of a list cannot read the list.</summary>
internal static class GoTime
{
    private const string Zone = "Z07:00";
    private static readonly string[] Layout = ["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"];

    /// <summary>Throws <see cref="FormatException"/> with Go's words when the text is no time.</summary>
    public static void Check(string text)
    {
        var rest = text.AsSpan();
        foreach (var part in Layout)
        {
            if (rest.Length < part.Length || !(char.IsAsciiDigit(part[0]) ? AreDigits(rest[..part.Length]) : rest.StartsWith(part, StringComparison.Ordinal)))
                throw Wrong(text, rest, part);
            rest = rest[part.Length..];
        }
        if (rest is ['.' or ',', >= '0' and <= '9', ..])
            rest = rest[1..].TrimStart("0123456789");
        if (rest is not "Z" && !(rest is ['+' or '-', _, _, ':', _, _] && AreDigits(rest[1..3]) && AreDigits(rest[4..])))
            throw rest is ['Z', .. var extra] ? new FormatException($"parsing time \"{text}\": extra text: \"{extra}\"") : Wrong(text, rest, Zone);
        if (!DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
            throw new FormatException($"parsing time \"{text}\": day out of range");
    }

    private static bool AreDigits(ReadOnlySpan<char> text) => !text.ContainsAnyExceptInRange('0', '9');

    private static FormatException Wrong(string text, ReadOnlySpan<char> rest, string part) =>
        new($"parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{rest}\" as \"{part}\"");
}
