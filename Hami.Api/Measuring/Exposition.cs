using System.Buffers;
using System.Globalization;
using System.Text;

namespace Hami.Api.Measuring;

/// <summary>Writes Prometheus' text format: for what is counted in the ledger, tens of thousands of series that no library need keep.</summary>
internal sealed class Exposition(IBufferWriter<byte> to)
{
    private readonly StringBuilder _line = new();
    private string[] _labels = [];
    private string _name = "";
    private string _constant = "";

    /// <summary>Begins a family of gauges; its samples follow.</summary>
    /// <param name="constant">A label with its value that all samples carry, as it stands in the text; empty for none.</param>
    public void Gauges(string name, string help, string constant, params string[] labels) => Family("gauge", name, help, constant, labels);

    /// <summary>Begins a family of counters; its samples follow.</summary>
    public void Counters(string name, string help, params string[] labels) => Family("counter", name, help, "", labels);

    /// <summary>One sample of the family, with the values of its labels in their order.</summary>
    public void Sample(double value, params ReadOnlySpan<string> values)
    {
        _line.Append(_name).Append('{');
        for (var i = 0; i < values.Length; i++)
        {
            if (i > 0)
                _line.Append(',');
            _line.Append(_labels[i]).Append("=\"");
            Escape(values[i]);
            _line.Append('"');
        }
        if (_constant.Length > 0)
            _line.Append(values.Length > 0 ? "," : "").Append(_constant);
        _line.Append("} ").Append(CultureInfo.InvariantCulture, $"{value}").Append('\n');
        Flush();
    }

    private void Family(string type, string name, string help, string constant, string[] labels)
    {
        (_name, _constant, _labels) = (name, constant, labels);
        _line.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
        Flush();
    }

    private void Escape(string value)
    {
        if (value.AsSpan().IndexOfAny('\\', '"', '\n') < 0)
            _line.Append(value);
        else
            _line.Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal));
    }

    private void Flush()
    {
        foreach (var chunk in _line.GetChunks())
            Encoding.UTF8.GetBytes(chunk.Span, to);
        _line.Clear();
    }
}
