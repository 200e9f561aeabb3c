using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Hami.Api.Commands;

/// <summary>Values of flags as HAMi's programs, written in Go, spell them.</summary>
internal static partial class GoValues
{
    /// <summary>Reads a Go duration such as <c>5m</c>, <c>1h30m</c>, <c>1.5s</c> or <c>0</c>; never a negative one.</summary>
    public static bool TryDuration(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text == "0")
            return true;
        var match = Duration().Match(text);
        if (!match.Success)
            return false;
        var seconds = 0.0;
        for (var i = 0; i < match.Groups["number"].Captures.Count; i++)
            seconds += double.Parse(match.Groups["number"].Captures[i].ValueSpan, CultureInfo.InvariantCulture) * Seconds(match.Groups["unit"].Captures[i].Value);
        if (seconds > TimeSpan.FromDays(365).TotalSeconds)
            return false;
        duration = TimeSpan.FromSeconds(seconds);
        return true;
    }

    /// <summary>Reads an address such as <c>127.0.0.1:8080</c>, <c>[::1]:8080</c>, or <c>:8080</c> for every address of this machine.</summary>
    public static bool TryAddress(string text, out IPEndPoint address)
    {
        var spelled = text.StartsWith(':') ? "[::]" + text : text;
        return IPEndPoint.TryParse(spelled, out address!) && address.Port != 0 && spelled.EndsWith($":{address.Port.ToString(CultureInfo.InvariantCulture)}", StringComparison.Ordinal);
    }

    private static double Seconds(string unit) => unit switch
    {
        "h" => 3600,
        "m" => 60,
        "s" => 1,
        "ms" => 1e-3,
        "us" or "µs" => 1e-6,
        _ => 1e-9,
    };

    [GeneratedRegex(@"^(?:(?<number>\d+(?:\.\d+)?)(?<unit>h|ms|m|s|us|µs|ns))+$", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Duration();
}
