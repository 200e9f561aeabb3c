using System.Globalization;
using System.Text;

namespace Hami.Api.Observing;

/// <summary>Which series of the node agents a trend is made of; what is null is not asked for.</summary>
internal sealed record ScrapedSeries(
    bool AreShares, string? Node = null, IReadOnlyList<string>? DeviceUuids = null, IReadOnlyList<string>? Namespaces = null, IReadOnlyList<string>? Pods = null, string? Container = null);

/// <summary>
/// The PromQL that a trend is asked for with, over the node agents' metrics: each gives one series, of which a value at a moment tells of the step
/// before it. Sums are made as <see cref="PeriodUse"/> makes them: by five minutes, then over the step. Pure.
/// </summary>
/// <remarks>The same card or share may be scraped twice, or anew by another agent's pod: the largest counts, once.</remarks>
internal sealed class PrometheusQueries(ScrapedSeries of, TimeSpan step)
{
    private readonly string _selector = Selector(of);
    private readonly string _each = of.AreShares ? "namespace, pod, container, device_uuid" : "device_uuid";
    private readonly string _step = string.Create(CultureInfo.InvariantCulture, $"[{step.TotalSeconds}s]");

    // The second that is left out is the one that the step before ends with: whether a range has both of its ends depends on the version.
    private readonly string _periods = string.Create(CultureInfo.InvariantCulture, $"[{step.TotalSeconds - 1}s:{TelemetryLimits.Seconds}s]");

    private string BusyName => of.AreShares ? "hami_container_device_utilization_ratio" : "hami_host_gpu_utilization_ratio";

    private string MemoryName => of.AreShares ? "hami_vgpu_memory_used_bytes" : "hami_host_gpu_memory_used_bytes";

    public string Busy => OnAverage(of.AreShares ? "sum" : "avg", BusyName);

    public string BusyMax => Most(BusyName);

    public string Memory => OnAverage("sum", MemoryName);

    public string MemoryMax => Most(MemoryName);

    public string Series => $"max_over_time(count({Each(MemoryName)}){_periods})";

    public string Temperature => Most("hami_host_gpu_temperature_celsius");

    public string Power => OnAverage("sum", "hami_host_gpu_power_usage_watts");

    public string Energy => $"sum(max by ({_each}) (increase(hami_host_gpu_energy_joules_total{_selector}{_step})))";

    private string OnAverage(string together, string name) => $"avg_over_time({together}({Each(name)}){_periods})";

    private string Most(string name) => $"max(max_over_time({name}{_selector}{_step}))";

    private string Each(string name) => string.Create(CultureInfo.InvariantCulture, $"max by ({_each}) (avg_over_time({name}{_selector}[{TelemetryLimits.Seconds}s]))");

    private static string Selector(ScrapedSeries of)
    {
        var matchers = new List<string>();
        Match("node", of.Node is { } node ? [node] : null);
        Match("device_uuid", of.DeviceUuids);
        Match("namespace", of.Namespaces);
        Match("pod", of.Pods);
        Match("container", of.Container is { } container ? [container] : null);
        return $"{{{string.Join(',', matchers)}}}";

        void Match(string label, IReadOnlyList<string>? values)
        {
            if (values is not null)
                matchers.Add(values is [var one] ? $"{label}={Text(one)}" : $"{label}=~{Text(string.Join('|', values.Select(Literal)))}");
        }
    }

    /// <summary>A value as PromQL's strings have it, which are Go's.</summary>
    internal static string Text(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            if (c is '"' or '\\')
                text.Append('\\').Append(c);
            else if (char.IsControl(c) || c is '\u2028' or '\u2029')
                text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                text.Append(c);
        }
        return text.Append('"').ToString();
    }

    /// <summary>A value as RE2 matches it and nothing else.</summary>
    private static string Literal(string value)
    {
        var text = new StringBuilder();
        foreach (var c in value)
        {
            if (@"\.+*?()|[]{}^$".Contains(c))
                text.Append('\\');
            text.Append(c);
        }
        return text.ToString();
    }
}
