namespace Hami.Lab.Controllers;

/// <summary>How Go writes numbers and times into an object's status.</summary>
internal static class GoWriting
{
    /// <summary>A count of zero is left out.</summary>
    public static int? OrNull(int number) => number == 0 ? null : number;

    /// <summary>To the second, as Kubernetes keeps them.</summary>
    public static DateTime Stamp(this DateTimeOffset time) => new(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerSecond), DateTimeKind.Utc);

    public static DateTimeOffset Instant(this DateTime stamp) => new(DateTime.SpecifyKind(stamp, DateTimeKind.Utc));
}
