using System.Buffers;
using System.Globalization;
using System.Text;

namespace Hami.Api.Measuring;

/// <summary>A metric family and its samples, made while they are written.</summary>
internal sealed record Family(string Name, string Help, IReadOnlyList<string> Labels, IEnumerable<Sample> Samples)
{
    /// <summary>Prometheus' word for the kind.</summary>
    public string Type { get; init; } = "gauge";

    /// <summary>A label with its value that all samples carry, as it stands in the text; empty for none.</summary>
    public string Constant { get; init; } = "";
}

/// <summary>A value, and those of the family's labels in their order.</summary>
internal readonly record struct Sample(double Value, params string[] Labels);

/// <summary>Writes Prometheus' text format: for what is counted in the ledger, hundreds of thousands of series that no library need keep.</summary>
internal sealed class Exposition(IBufferWriter<byte> to)
{
    private readonly StringBuilder _line = new();

    public void Begin(Family family)
    {
        _line.Append("# HELP ").Append(family.Name).Append(' ').Append(family.Help)
            .Append("\n# TYPE ").Append(family.Name).Append(' ').Append(family.Type).Append('\n');
        Flush();
    }

    /// <summary>Writes one sample and returns how many bytes that took.</summary>
    public long Write(Family family, in Sample sample)
    {
        _line.Append(family.Name);
        if (sample.Labels.Length > 0 || family.Constant.Length > 0)
            WriteLabels(family, sample.Labels);
        _line.Append(' ').Append(CultureInfo.InvariantCulture, $"{sample.Value}").Append('\n');
        return Flush();
    }

    private void WriteLabels(Family family, string[] values)
    {
        _line.Append('{');
        for (var i = 0; i < values.Length; i++)
        {
            if (i > 0)
                _line.Append(',');
            _line.Append(family.Labels[i]).Append("=\"");
            Escape(values[i]);
            _line.Append('"');
        }
        if (family.Constant.Length > 0)
            _line.Append(values.Length > 0 ? "," : "").Append(family.Constant);
        _line.Append('}');
    }

    private void Escape(string value)
    {
        if (value.AsSpan().IndexOfAny('\\', '"', '\n') < 0)
            _line.Append(value);
        else
            _line.Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal));
    }

    private long Flush()
    {
        var bytes = 0L;
        foreach (var chunk in _line.GetChunks())
            bytes += Encoding.UTF8.GetBytes(chunk.Span, to);
        _line.Clear();
        return bytes;
    }
}
