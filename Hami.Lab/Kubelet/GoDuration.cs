using System.Globalization;

namespace Hami.Lab.Kubelet;

/// <summary>A time as Go prints it, in whole seconds: <c>10s</c>, <c>1m20s</c>, <c>5m0s</c>.</summary>
internal static class GoDuration
{
    public static string Of(TimeSpan time)
    {
        var seconds = (long)Math.Round(time.TotalSeconds);
        var text = (seconds % 60).ToString(CultureInfo.InvariantCulture) + "s";
        if (seconds >= 60)
            text = $"{seconds / 60 % 60}m{text}";
        return seconds >= 3600 ? $"{seconds / 3600}h{text}" : text;
    }
}
