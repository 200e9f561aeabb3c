using System.Globalization;
using CsvHelper;

namespace Hami.Bench.Placement;

/// <summary>A node of an openb trace; <paramref name="Model"/> is that of all its cards.</summary>
internal sealed record TraceNode(string Name, long CpuMilli, long MemoryMiB, int Cards, string Model);

/// <summary>A pod of an openb trace.</summary>
/// <param name="CardMilli">Thousandths of a card, of each card.</param>
/// <param name="Models">Allowed models; empty allows any.</param>
internal sealed record TracePod(string Name, long CpuMilli, long MemoryMiB, int Cards, int CardMilli, IReadOnlyList<string> Models)
{
    public long AllMilli => (long)Cards * CardMilli;
}

/// <summary>A trace that cannot be used; the message says where and how to mend it.</summary>
internal sealed class TraceException(string message) : Exception(message);

/// <summary>Reads node and pod lists in the format of Alibaba's openb trace (cluster-trace-gpu-v2023).</summary>
internal static class Trace
{
    public const int WholeCard = 1000;

    // More is taken for another column or a typing error.
    private const int MostCards = 1024;

    public static IReadOnlyList<TraceNode> Nodes(string file)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        return Rows(file, ["sn", "cpu_milli", "memory_mib", "gpu", "model"], row =>
        {
            var name = row.Text("sn");
            if (name.Length == 0 || !names.Add(name))
                throw row.Bad("sn", name, "it must name a node that no line before names");
            return new TraceNode(
                name, row.Number("cpu_milli", long.MaxValue / 2), row.Number("memory_mib", long.MaxValue / 2), (int)row.Number("gpu", MostCards), row.Text("model"));
        });
    }

    public static IReadOnlyList<TracePod> Pods(string file)
    {
        var pods = Rows(file, ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec"], row =>
        {
            var cards = (int)row.Number("num_gpu", MostCards);
            var milli = (int)row.Number("gpu_milli", WholeCard);
            if (cards > 0 && milli == 0)
                throw row.Bad("gpu_milli", "0", "a pod with cards needs 1 to 1000 of each");
            if (cards > 1 && milli < WholeCard)
                throw row.Bad("gpu_milli", $"{milli}", "a pod with several cards takes them whole, 1000 of each");
            return new TracePod(
                row.Text("name"), row.Number("cpu_milli", long.MaxValue / 2), row.Number("memory_mib", long.MaxValue / 2), cards, cards > 0 ? milli : 0,
                row.Text("gpu_spec").Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        });
        return pods.Exists(p => p.Cards > 0) ? pods : throw new TraceException($"{file} has no pod that asks for a card, so there is nothing to measure.");
    }

    private static List<T> Rows<T>(string file, string[] columns, Func<Row, T> read)
    {
        try
        {
            using var text = new StreamReader(file);
            using var csv = new CsvReader(text, CultureInfo.InvariantCulture);
            if (!csv.Read() || !csv.ReadHeader())
                throw new TraceException($"{file} is empty; its first line must name the columns {string.Join(", ", columns)}.");
            if (columns.FirstOrDefault(c => !csv.HeaderRecord!.Contains(c, StringComparer.Ordinal)) is { } missing)
                throw new TraceException($"{file} has no column {missing}; its first line must name the columns {string.Join(", ", columns)}.");
            var rows = new List<T>();
            while (csv.Read())
                rows.Add(read(new(file, csv)));
            return rows.Count > 0 ? rows : throw new TraceException($"{file} has no line below its header.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TraceException($"{file} cannot be read: {e.Message}");
        }
        catch (BadDataException e)
        {
            throw new TraceException($"{file}, line {e.Context?.Parser?.RawRow}: the quotation marks do not match.");
        }
    }

    private readonly record struct Row(string File, CsvReader Csv)
    {
        public string Text(string column)
        {
            try
            {
                return Csv.GetField(column)?.Trim() ?? "";
            }
            catch (CsvHelper.MissingFieldException)
            {
                throw new TraceException($"{File}, line {Csv.Parser.RawRow}: {column} is missing.");
            }
        }

        public long Number(string column, long most)
        {
            var text = Text(column);
            return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most
                ? number
                : throw Bad(column, text, most > int.MaxValue ? "it must be a whole number from 0 on" : $"it must be a whole number from 0 to {most}");
        }

        public TraceException Bad(string column, string value, string rule) => new($"{File}, line {Csv.Parser.RawRow}: {column} is '{value}', but {rule}.");
    }
}
