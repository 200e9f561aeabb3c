using System.CommandLine;
using System.Globalization;
using Hami.Api.Commands;
using Hami.Api.Plumbing;
using Hami.Api.Replaying;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary><c>hami-api rebuild</c>: all read models from nothing but the log, while the service goes on.</summary>
internal static class RebuildVerb
{
    public static Command Command()
    {
        var database = new DatabaseFlag();
        var json = new Option<bool>("--json") { Description = "Print one JSON document." };
        var command = new Command("rebuild", "Fold the whole log into new tables of the read models beside those in force, then put them in force.") { json };
        database.AddTo(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(database.Read(parsed), parsed.GetValue(json), parsed.InvocationConfiguration, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string postgres, bool json, InvocationConfiguration to, CancellationToken cancellationToken)
    {
        using var logging = LoggerFactory.Create(_ => { });
        await using var database = NpgsqlDataSource.Create(postgres);
        try
        {
            var built = await new ReadModelsBuild(database, new StoredEvents(), logging.CreateLogger<ReadModelsBuild>()).RebuildAsync(cancellationToken);
            if (json)
                Printed.Json(to.Output, built);
            else
                await to.Output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"Generation {built.Generation} of the read models is in force: {built.Events} events folded in {built.Seconds:F1} s."));
            return 0;
        }
        catch (Exception e) when (e is NpgsqlException or FormatException or AnotherLogException)
        {
            await to.Error.WriteLineAsync($"The read models in force stay as they are: {e.Message}");
            return 1;
        }
    }
}
