using System.Collections.Concurrent;
using Prometheus;
using Hami.Api.Measuring;

namespace Hami.Api.Observing;

/// <summary>What is counted of telemetry, for the metrics.</summary>
internal static class TelemetryCounts
{
    private static readonly MetricFactory Make = Metrics.WithCustomRegistry(Meters.Registry);

    private static readonly Prometheus.Counter Moments = Make.CreateCounter(
        "hami_telemetry_moments_total", "Moments that node agents told: new (taken), or told before (known).", ["outcome"]);

    private static readonly Prometheus.Counter Left = Make.CreateCounter(
        "hami_telemetry_dropped_total", "What was told and not kept: refused (moments), series (values beyond the limits or of unknown pods), agent (moments that agents gave up), unwritten (sums that PostgreSQL could not take for too long).",
        ["why"]);

    private static readonly ConcurrentDictionary<string, ulong> GivenUp = new(StringComparer.Ordinal);

    static TelemetryCounts()
    {
        foreach (var why in (string[])["refused", "series", "agent", "unwritten"])
            Left.WithLabels(why);
        Moments.WithLabels("taken");
        Moments.WithLabels("known");
    }

    public static void Heard(Heard heard) => Moments.WithLabels(heard is Observing.Heard.Taken ? "taken" : "known").Inc();

    public static void Dropped(string why, int count)
    {
        if (count > 0)
            Left.WithLabels(why).Inc(count);
    }

    /// <summary>What an agent says it has given up since it started.</summary>
    public static void Given(string node, ulong since)
    {
        var before = 0UL;
        GivenUp.AddOrUpdate(node, since, (_, known) =>
        {
            before = known;
            return since;
        });
        // An agent that was started anew begins at zero.
        Dropped("agent", (int)Math.Min(int.MaxValue, since >= before ? since - before : since));
    }

    /// <summary>Forgets a node that is gone.</summary>
    public static void Forget(string node) => GivenUp.TryRemove(node, out _);
}
