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

    /// <summary>Time between two looks.</summary>
    public TimeSpan SampleInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Where the kernel tells of the node's processes.</summary>
    public string ProcRoot { get; init; } = "/proc";

    public static IEnumerable<Option> All => [SampleIntervalOption];

    public static ObservingOptions From(ParseResult given) => new() { SampleInterval = given.GetValue(SampleIntervalOption) };

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
