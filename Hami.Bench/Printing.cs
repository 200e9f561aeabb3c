using System.Text.Json;

namespace Hami.Bench;

/// <summary>How a report leaves: one line for machines, or shown to people.</summary>
internal static class Printing
{
    /// <summary>Answers with the exit status.</summary>
    public static int Print<TReport>(TReport report, bool json, Action<TReport> show)
    {
        if (json)
            Console.WriteLine(JsonSerializer.Serialize(report, JsonSerializerOptions.Web));
        else
            show(report);
        return 0;
    }
}
