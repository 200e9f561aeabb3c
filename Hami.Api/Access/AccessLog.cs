using System.Globalization;
using System.Net;

namespace Hami.Api.Access;

/// <summary>Who asked for history, and who was not let in: one structured line each.</summary>
internal sealed partial class AccessLog(ILogger<AccessLog> logger)
{
    private const int LongestText = 100;

    public void Asked(Asker asker, string outcome, TimeSpan took)
    {
        var looks = asker.Looks.ToList();
        if (looks.Count == 0)
            return;
        LogAsked(
            logger, Plain(asker.Viewer.Name),
            string.Join(',', looks.Select(l => l.Field).Distinct(StringComparer.Ordinal)),
            // Who names no namespace asks for all that they may see.
            string.Join(',', looks.Select(l => l.Namespace is { } n ? Plain(n) : "*").Distinct(StringComparer.Ordinal)),
            Time(looks.TrueForAll(l => l.From is not null) ? looks.Min(l => l.From) : null),
            Time(looks.TrueForAll(l => l.To is not null) ? looks.Max(l => l.To) : null),
            outcome, (long)took.TotalMilliseconds);
    }

    public void Refused(IPAddress? from, int status, string why) => LogRefused(logger, from, status, why);

    /// <summary>A text of somebody else's that cannot begin a line of its own.</summary>
    public static string Plain(string text, int longest = LongestText) =>
        string.Concat(text.Take(longest).Select(c => char.IsControl(c) || c is '\u2028' or '\u2029' ? '?' : c));

    private static string Time(DateTimeOffset? at) => at?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture) ?? "-";

    [LoggerMessage(Level = LogLevel.Information, Message = "History was asked for: {User} {Fields} in {Namespaces} from {From} to {To}: {Outcome} after {Milliseconds} ms.")]
    private static partial void LogAsked(ILogger logger, string user, string fields, string namespaces, string from, string to, string outcome, long milliseconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not let in to GraphQL, from {Address}: {Status}, {Why}.")]
    private static partial void LogRefused(ILogger logger, IPAddress? address, int status, string why);
}
