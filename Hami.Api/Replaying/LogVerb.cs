using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Api.Commands;
using Hami.Api.Plumbing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Spectre.Console;

namespace Hami.Api.Replaying;

/// <summary>What the verbs end with.</summary>
internal static class ExitCode
{
    public const int Fine = 0;

    /// <summary>The answer is no: something is wrong with the log, or it does not know what was asked for.</summary>
    public const int No = 1;

    /// <summary>There is no answer: the database, or a file, cannot be read.</summary>
    public const int Unanswered = 2;
}

/// <summary>What the verbs that read the log have in common.</summary>
internal static class LogVerb
{
    // What the widest table needs; a pipe has no width of its own.
    private const int Width = 160;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Web) { Converters = { new JsonStringEnumConverter() } };

    /// <param name="run">Returns the exit code.</param>
    public static Command Create(string name, string description, IEnumerable<Symbol> symbols, Func<Asked, Task<int>> run)
    {
        var database = new DatabaseFlag();
        var json = new Option<bool>("--json") { Description = "Print one JSON document." };
        var command = new Command(name, description) { json };
        foreach (var symbol in symbols)
        {
            if (symbol is Argument argument)
                command.Arguments.Add(argument);
            else
                command.Options.Add((Option)symbol);
        }
        database.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                await using var source = NpgsqlDataSource.Create(database.Read(parsed));
                using var checkpoints = new Checkpoints(source, NullLogger<Checkpoints>.Instance);
                var events = new StoredEvents();
                return await run(new(parsed, source, events, new(source, events, new KeptCheckpoints(checkpoints)), parsed.GetValue(json), cancellationToken));
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName or PostgresErrorCodes.UndefinedColumn)
            {
                return await Unanswered(parsed, $"the database holds no log of hami-api's: {e.MessageText}");
            }
            catch (Exception e) when (e is NpgsqlException or IOException or UnauthorizedAccessException or FormatException)
            {
                return await Unanswered(parsed, e.Message.ReplaceLineEndings(" "));
            }
        });
        return command;
    }

    /// <summary>Prints one JSON document.</summary>
    public static void WriteJson<T>(TextWriter output, T value) => output.WriteLine(JsonSerializer.Serialize(value, Json));

    public static void Write(TextWriter output, Table table)
    {
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(output) });
        if (output != Console.Out || Console.IsOutputRedirected)
            console.Profile.Width = Width;
        console.Write(table);
    }

    /// <summary>A table whose cells are shown as they are.</summary>
    public static Table Table(params string[] columns) => new Table().Border(TableBorder.Rounded).AddColumns(columns);

    public static void Row(this Table table, params string[] cells) => table.AddRow([.. cells.Select(c => new Text(c))]);

    public static string Moment(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff'Z'");

    private static async Task<int> Unanswered(ParseResult parsed, string why)
    {
        await parsed.InvocationConfiguration.Error.WriteLineAsync(why);
        return ExitCode.Unanswered;
    }
}

/// <summary>A verb as it was called.</summary>
internal sealed record Asked(ParseResult Parsed, NpgsqlDataSource Database, StoredEvents Events, LedgerHistory History, bool Json, CancellationToken CancellationToken)
{
    public TextWriter Output => Parsed.InvocationConfiguration.Output;

    public TextWriter Error => Parsed.InvocationConfiguration.Error;
}
