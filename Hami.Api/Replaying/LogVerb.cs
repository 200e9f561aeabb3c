using System.CommandLine;
using Hami.Api.Archiving;
using Hami.Api.Commands;
using Hami.Api.Plumbing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Api.Replaying;

/// <summary>What the verbs that read the log have in common.</summary>
internal static class LogVerb
{
    /// <summary>A verb with the options all of them have.</summary>
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
            catch (Exception e) when (e is ArchivedHistoryException or NotArchivedException)
            {
                await Unanswered(parsed, e.Message);
                return ExitCode.No;
            }
            catch (Exception e) when (e is NpgsqlException or IOException or UnauthorizedAccessException or FormatException)
            {
                return await Unanswered(parsed, e.Message.ReplaceLineEndings(" "));
            }
        });
        return command;
    }

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
