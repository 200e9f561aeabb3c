using System.Globalization;
using System.Text;

namespace Hami.NodeAgent.Observing;

/// <summary>Prometheus' text format, written as it is made: what is told here is measured elsewhere, so no library need keep it.</summary>
internal sealed class MetricsText
{
    private readonly StringBuilder text = new();

    /// <summary>A family with its samples; the values of a sample's labels stand in the order of the labels' names.</summary>
    public MetricsText Family(string name, string kind, string help, string[] labels, IEnumerable<(double Value, string[] Labels)> samples)
    {
        text.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(kind).Append('\n');
        foreach (var (value, values) in samples)
        {
            text.Append(name);
            for (var i = 0; i < labels.Length; i++)
                Escape(text.Append(i == 0 ? '{' : ',').Append(labels[i]).Append("=\""), values[i]).Append('"');
            if (labels.Length > 0)
                text.Append('}');
            text.Append(' ').Append(CultureInfo.InvariantCulture, $"{value}").Append('\n');
        }
        return this;
    }

    public override string ToString() => text.ToString();

    private static StringBuilder Escape(StringBuilder text, string value) => value.AsSpan().IndexOfAny('\\', '"', '\n') < 0
        ? text.Append(value)
        : text.Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal));
}
