using System.Globalization;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Times as Kubernetes writes them for machines and for people.</summary>
internal static class Ages
{
    public const string Unknown = "<unknown>";

    public static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static DateTimeOffset? Parse(string? stamp) =>
        DateTimeOffset.TryParse(stamp, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    public static string Of(JsonObject body, DateTimeOffset now) => Since(body.TextAt("metadata", "creationTimestamp"), now);

    public static string Since(string? stamp, DateTimeOffset now) => Parse(stamp) is { } time ? Human(now - time) : Unknown;

    /// <summary>apimachinery's duration.HumanDuration: two units at most, and one once it is clear enough.</summary>
    public static string Human(TimeSpan age)
    {
        var seconds = (long)age.TotalSeconds;
        if (seconds < -1)
            return "<invalid>";
        if (seconds < 0)
            return "0s";
        if (seconds < 120)
            return $"{seconds}s";
        var minutes = seconds / 60;
        if (minutes < 10)
            return seconds % 60 is > 0 and var s ? $"{minutes}m{s}s" : $"{minutes}m";
        if (minutes < 180)
            return $"{minutes}m";
        var hours = minutes / 60;
        if (hours < 8)
            return minutes % 60 is > 0 and var m ? $"{hours}h{m}m" : $"{hours}h";
        if (hours < 48)
            return $"{hours}h";
        var days = hours / 24;
        if (days < 8)
            return hours % 24 is > 0 and var h ? $"{days}d{h}h" : $"{days}d";
        if (days < 730)
            return $"{days}d";
        return days / 365 < 8 && days % 365 > 0 ? $"{days / 365}y{days % 365}d" : $"{days / 365}y";
    }
}
