using System.CommandLine;
using System.CommandLine.Parsing;
using Npgsql;

namespace Hami.Api.Commands;

/// <summary>The flag that says where the log is.</summary>
internal sealed class DatabaseFlag
{
    private readonly Option<string> _postgres = new("--postgres")
    {
        Description = "Npgsql connection string of the database that holds the log; else the variable HAMI_POSTGRES.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("HAMI_POSTGRES") ?? "",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_postgres);
        command.Validators.Add(Validate);
    }

    public string Read(ParseResult parsed) => parsed.GetValue(_postgres)!;

    private void Validate(CommandResult result)
    {
        if (string.IsNullOrWhiteSpace(result.GetValue(_postgres)))
            result.AddError("No database: give --postgres or set HAMI_POSTGRES to an Npgsql connection string.");
        else if (WhyNot.Of(() => _ = new NpgsqlConnectionStringBuilder(result.GetValue(_postgres))) is { } unreadable)
            result.AddError($"The database is not given as an Npgsql connection string: {unreadable}");
    }
}
