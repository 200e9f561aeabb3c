using System.CommandLine;

namespace Hami.NodeAgent.Observing;

/// <summary>What the command line says of watching cards and containers.</summary>
internal sealed record ObservingOptions
{
    private static readonly Option<TimeSpan> SampleIntervalOption = new("--sample-interval")
    {
        Description = "How often cards and containers are looked at, such as 5s or 00:00:05.",
        CustomParser = given => Duration(given.Tokens[0].Value) ?? Fault(given, "--sample-interval must be from 1s to 5m, such as 5s."),
        DefaultValueFactory = _ => TimeSpan.FromSeconds(5),
    };

    private static readonly Option<string> OnExcessOption = new Option<string>("--on-limit-exceeded")
    {
        Description = "What to do about a container that holds more of a card than its limit for 15 s by the driver's count: report it (an event on the pod, a metric), or also kill its largest process.",
        DefaultValueFactory = _ => "report",
    }.AcceptOnlyFromAmong("report", "kill");

    private static readonly Option<string> MetricsBindOption = new("--metrics-bind", "--metrics-bind-address")
    {
        Description = "Address for GET /metrics, such as :9394 or 127.0.0.1:9394; none when empty.",
        DefaultValueFactory = _ => ":9394",
    };

    private static readonly Option<bool> LegacyMetricsOption = new("--legacy-metrics")
    {
        Description = "Also offer metrics under the names they had before HAMi v2.9.",
    };

    /// <summary>Time between two looks.</summary>
    public TimeSpan SampleInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Where the kernel tells of the node's processes.</summary>
    public string ProcRoot { get; init; } = "/proc";

    public OnExcess OnExcess { get; init; } = OnExcess.Report;

    /// <summary>Where metrics are offered; nowhere when null.</summary>
    public string? MetricsBind { get; init; }

    public bool LegacyMetrics { get; init; }

    public static IEnumerable<Option> All => [SampleIntervalOption, OnExcessOption, MetricsBindOption, LegacyMetricsOption];

    public static ObservingOptions From(ParseResult given) => new()
    {
        SampleInterval = given.GetValue(SampleIntervalOption),
        OnExcess = given.GetValue(OnExcessOption) is "kill" ? OnExcess.Kill : OnExcess.Report,
        MetricsBind = given.GetValue(MetricsBindOption) is { Length: > 0 } address ? address : null,
        LegacyMetrics = given.GetValue(LegacyMetricsOption),
    };

    private static TimeSpan? Duration(string text)
    {
        var found = text.EndsWith("ms", StringComparison.Ordinal) && double.TryParse(text[..^2], out var ms) ? TimeSpan.FromMilliseconds(ms)
            : text.EndsWith('s') && double.TryParse(text[..^1], out var s) ? TimeSpan.FromSeconds(s)
            : text.EndsWith('m') && double.TryParse(text[..^1], out var m) ? TimeSpan.FromMinutes(m)
            : TimeSpan.TryParse(text, out var span) ? span : (TimeSpan?)null;
        return found is { TotalSeconds: >= 1 and <= 300 } ? found : null;
    }

    private static TimeSpan Fault(System.CommandLine.Parsing.ArgumentResult given, string sentence)
    {
        given.AddError(sentence);
        return default;
    }
}
