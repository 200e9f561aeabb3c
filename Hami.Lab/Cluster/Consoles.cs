using Spectre.Console;

namespace Hami.Lab.Cluster;

/// <summary>Where tables go.</summary>
internal static class Consoles
{
    // What the widest table needs; a pipe has no width of its own.
    private const int Width = 100;

    /// <summary>Standard output, wide enough for our tables also when it is no terminal.</summary>
    public static IAnsiConsole Out { get; } = Create();

    private static IAnsiConsole Create()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected)
            console.Profile.Width = Width;
        return console;
    }
}
