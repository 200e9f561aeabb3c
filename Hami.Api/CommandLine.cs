using System.CommandLine;
using System.CommandLine.Parsing;
using Hami.Api.Commands;
using Npgsql;

namespace Hami.Api;

/// <summary>The verbs of <c>hami-api</c>.</summary>
internal static class CommandLine
{
    public static RootCommand Create() =>
        new("HAMi on events: the control plane that shares accelerators among pods.") { Serve(), VersionVerb.Command() };

    private static Command Serve()
    {
        var (listen, cluster, placement, signing, access, idle) =
            (new ListenFlags(), new ClusterFlags(), new PlacementFlags(), new SigningFlags(), new AccessFlags(), new IdleFlags());
        var postgres = new Option<string>("--postgres")
        {
            Description = "Npgsql connection string of the database that holds the log; else the variable HAMI_POSTGRES.",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("HAMI_POSTGRES") ?? "",
        };
        var legacyMetrics = Flag.Switch("--legacy-metrics", false, "Also offer metrics under the names they had before HAMi v2.9.");
        var profiling = Flag.Switch("--profiling", false, "Answer /debug at the extender's listener: the runtime's counters, its configuration, a forced collection.");

        var serve = new Command("serve", "Answer the webhook, kube-scheduler and GraphQL.") { postgres, legacyMetrics, profiling };
        listen.AddTo(serve);
        cluster.AddTo(serve);
        placement.AddTo(serve);
        signing.AddTo(serve);
        access.AddTo(serve);
        idle.AddTo(serve);
        serve.Validators.Add(result => ValidateDatabase(result, postgres));
        serve.SetAction((parsed, cancellationToken) => Server.RunAsync(
            new(
                listen.Read(parsed), cluster.Read(parsed), placement.Read(parsed), signing.Read(parsed), access.Read(parsed), parsed.GetValue(postgres)!,
                parsed.GetValue(legacyMetrics), parsed.GetValue(profiling), idle.Given(parsed)),
            cancellationToken));
        return serve;
    }

    private static void ValidateDatabase(CommandResult result, Option<string> postgres)
    {
        if (string.IsNullOrWhiteSpace(result.GetValue(postgres)))
            result.AddError("No database: give --postgres or set HAMI_POSTGRES to an Npgsql connection string.");
        else if (WhyNot.Of(() => _ = new NpgsqlConnectionStringBuilder(result.GetValue(postgres))) is { } unreadable)
            result.AddError($"The database is not given as an Npgsql connection string: {unreadable}");
    }
}
