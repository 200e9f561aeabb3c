using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Hami.Api.Commands;

/// <summary>What the verbs print: tables for people, JSON for programs.</summary>
internal static class Printed
{
    // What the widest table needs; a pipe has no width of its own.
    private const int Width = 160;

    private static readonly JsonSerializerOptions Options = new(JsonSerializerOptions.Web) { Converters = { new JsonStringEnumConverter() } };

    /// <summary>Prints one JSON document.</summary>
    public static void Json<T>(TextWriter output, T value) => output.WriteLine(JsonSerializer.Serialize(value, Options));

    public static void Table(TextWriter output, Table table)
    {
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(output) });
        if (output != Console.Out || Console.IsOutputRedirected)
            console.Profile.Width = Width;
        console.Write(table);
    }

    public static Table TableOf(params string[] columns) => new Table().Border(TableBorder.Rounded).AddColumns(columns);

    /// <summary>Adds a row whose cells are shown as they are.</summary>
    public static void Row(this Table table, params string[] cells) => table.AddRow([.. cells.Select(c => new Text(c))]);

    /// <summary>A moment, in UTC.</summary>
    public static string Moment(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff'Z'");
}
