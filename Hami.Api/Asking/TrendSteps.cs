using System.Globalization;
using GraphQL;

namespace Hami.Api.Asking;

/// <summary>Where the points of a trend are: at whole steps, not too many; whoever asks for the same time has them at the same moments.</summary>
internal static class TrendSteps
{
    private const int UsualPoints = 300;
    private const int MostPoints = 1000;

    private static readonly int[] Steps = [5, 10, 15, 30, 60, 300, 900, 1800, 3600, 7200, 21600, 43200, 86400];

    /// <summary>The usual step of a time: the shortest that makes few points, of many months some whole days; from a while ago on never shorter than sums are kept.</summary>
    public static int Usual(TimeSpan time, bool isRecent, int shortestKept) =>
        Steps.Where(s => isRecent || s >= shortestKept).Cast<int?>().FirstOrDefault(s => time.TotalSeconds / s <= UsualPoints) ?? Steps[^1] * (int)Math.Ceiling(time.TotalSeconds / Steps[^1] / UsualPoints);

    /// <summary>Where it begins: at the last whole step that is not after it.</summary>
    public static (DateTimeOffset From, TimeSpan Step) Aligned(DateTimeOffset from, DateTimeOffset to, int seconds)
    {
        var step = TimeSpan.FromSeconds(seconds);
        // From the Unix epoch on, as VictoriaMetrics aligns what it is asked for.
        var into = (from - DateTimeOffset.UnixEpoch).Ticks % step.Ticks;
        var aligned = new DateTimeOffset(Math.Max(from.UtcTicks - (into < 0 ? into + step.Ticks : into), 0), TimeSpan.Zero);
        return (to - aligned) / step <= MostPoints
            ? (aligned, step)
            : throw new ExecutionError($"These are more than {MostPoints} points: ask for longer steps or a shorter time.") { Code = "TOO_LONG" };
    }

    /// <summary>Refuses a time that has no length.</summary>
    public static void MustBeInOrder(DateTimeOffset from, DateTimeOffset to)
    {
        if (from >= to)
            throw new ExecutionError("from must be before to.") { Code = "BAD_FILTER" };
    }

    /// <summary>Refuses steps that are none of a unit.</summary>
    public static void MustBeMultiple(int seconds, int unit, string rule)
    {
        if (seconds < unit || seconds % unit != 0)
            throw new ExecutionError($"stepSeconds is {seconds.ToString(CultureInfo.InvariantCulture)}; it must be {rule}.") { Code = "BAD_FILTER" };
    }
}
