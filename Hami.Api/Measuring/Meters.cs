using Prometheus;

namespace Hami.Api.Measuring;

/// <summary>Steps whose time is measured.</summary>
internal enum Stage
{
    /// <summary>A whole request at <c>/webhook</c>.</summary>
    Webhook,

    /// <summary>Choosing a node, without HTTP and JSON.</summary>
    FilterDecide,

    /// <summary>A whole request at <c>/filter</c>.</summary>
    FilterHttp,

    /// <summary>Deciding and committing one group of commands.</summary>
    JournalGroup,

    /// <summary>From a bind's arrival until its placement is in the log.</summary>
    BindDecide,

    /// <summary>The API server's answer to one Binding.</summary>
    BindingCall,

    /// <summary>A whole request at <c>/bind</c>.</summary>
    BindHttp,
}

/// <summary>What the control plane counts and times of itself; one set per process, so that any step can be measured where it happens.</summary>
internal static class Meters
{
    private static readonly string[] StageWords = ["webhook", "filter_decide", "filter_http", "journal_group", "bind_decide", "binding_call", "bind_http"];

    // First: what follows is made in it.
    public static readonly CollectorRegistry Registry = Metrics.NewCustomRegistry();

    private static readonly MetricFactory Make = Metrics.WithCustomRegistry(Registry);

    private static readonly Histogram.Child[] Stages = StagesOf(Make.CreateHistogram(
        "hami_stage_duration_seconds", "Time that one step took.", ["stage"],
        new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(50e-6, 2, 19) })); // 50 µs to 13 s

    private static readonly Counter Refusals = Make.CreateCounter(
        "hami_placement_refusals_total", "Changes of the reasons for which a pod found no node, by HAMi's reason word.", ["reason"]);

    private static readonly Counter LogEvents = Make.CreateCounter("hami_log_events_total", "Events committed to the log since this process started.", ["type"]);

    private static readonly Counter ExpiredReservations = Make.CreateCounter(
        "hami_reservations_expired_total", "Reservations that ended because no bind came in time.");

    private static readonly Counter ScoreConflicts = Make.CreateCounter(
        "hami_score_mode_conflicts_total", "Binds to another node than the one reserved, with --extender-mode score.");

    private static readonly Counter Moments = Labelled(
        Make.CreateCounter("hami_telemetry_moments_total", "Moments that node agents told: new (taken), or told before (known).", ["outcome"]), "taken", "known");

    private static readonly Counter NotKept = Labelled(
        Make.CreateCounter(
            "hami_telemetry_dropped_total",
            "What was measured and not kept: moments refused for their time (refused), values beyond the limits or of unknown pods (series), moments given up by agents (agent), sums that waited for PostgreSQL too long (unwritten).",
            ["why"]),
        "refused", "series", "agent", "unwritten");

    public static void Took(Stage stage, TimeSpan time) => Stages[(int)stage].Observe(time.TotalSeconds);

    public static void Refused(string reason) => Refusals.WithLabels(reason).Inc();

    public static void Logged(string type) => LogEvents.WithLabels(type).Inc();

    public static void ReservationExpired() => ExpiredReservations.Inc();

    public static void ScoreConflict() => ScoreConflicts.Inc();

    public static void Told(bool isNew) => Moments.WithLabels(isNew ? "taken" : "known").Inc();

    /// <summary>So many values were not kept.</summary>
    /// <param name="why">One of the words of the metric.</param>
    public static void NotKeptOf(string why, double count) => NotKept.WithLabels(why).Inc(count);

    private static Counter Labelled(Counter counter, params string[] words)
    {
        foreach (var word in words)
            counter.WithLabels(word);
        return counter;
    }

    // All from the start, so that a stage which never happened shows as zero.
    private static Histogram.Child[] StagesOf(Histogram histogram) => [.. StageWords.Select(word => histogram.WithLabels(word))];
}
