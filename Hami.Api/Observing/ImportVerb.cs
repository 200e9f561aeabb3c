using System.CommandLine;
using Hami.Api.Commands;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Protocol;
using k8s.Autorest;
using Marten;
using Npgsql;

namespace Hami.Api.Observing;

/// <summary><c>hami-api import</c>: adopt a cluster that HAMi has filled, once and with a summary.</summary>
internal static class ImportVerb
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static Command Command()
    {
        var (database, cluster) = (new DatabaseFlag(), new ClusterFlags());
        var devices = new Option<string?>("--device-config-file") { Description = "HAMi's device configuration, YAML; the values HAMi ships when not given." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Say what would be taken over and write nothing." };
        var json = new Option<bool>("--json") { Description = "Print one JSON document." };
        var command = new Command(
            "import", "Count the cards of a cluster's nodes and what HAMi's annotations say that pods hold of them. Stop HAMi's scheduler first: what it places later is not counted.")
        {
            devices, dryRun, json,
        };
        database.AddTo(command);
        cluster.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.TextOf(devices) is { } file && WhyNot.Of(() => DeviceConfigFile.Read(file)) is { } unusable)
                result.AddError($"--device-config-file {file}: {unusable}");
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                using var host = JournalOf(database.Read(parsed));
                await host.StartAsync(cancellationToken);
                var journal = host.Services.GetRequiredService<Journal>();
                await journal.Loaded.WaitAsync(Patience, cancellationToken);
                using var kubernetes = ClusterAccess.Client(cluster.Read(parsed), TimeProvider.System);
                var nvidia = parsed.GetValue(devices) is { } file ? DeviceConfigFile.Read(file) : NvidiaConfig.Hami;
                var report = await new Import(kubernetes, cluster.Read(parsed), journal, nvidia, parsed.GetValue(dryRun)).RunAsync(cancellationToken);
                await host.StopAsync(CancellationToken.None);
                if (parsed.GetValue(json))
                    Printed.Json(parsed.InvocationConfiguration.Output, report);
                else
                    Print(parsed.InvocationConfiguration.Output, report);
                return report.Left.Count == 0 ? ExitCode.Fine : ExitCode.No;
            }
            catch (TimeoutException)
            {
                return await Unanswered($"The log could not be read within {Patience.TotalSeconds} s: is PostgreSQL there?");
            }
            catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException or JournalUnavailableException)
            {
                return await Unanswered($"The import broke off: {e.Message.ReplaceLineEndings(" ")} What it had written stays; run it again.");
            }

            async Task<int> Unanswered(string why)
            {
                await parsed.InvocationConfiguration.Error.WriteLineAsync(why);
                return ExitCode.Unanswered;
            }
        });
        return command;
    }

    /// <summary>The journal and what it needs; no listener, no watch, no projection.</summary>
    private static IHost JournalOf(string postgres)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddMarten(options => MartenSetup.Configure(options, postgres)).UseLightweightSessions();
        builder.Services
            .AddSingleton(TimeProvider.System)
            .AddSingleton(_ => NpgsqlDataSource.Create(postgres))
            .AddSingleton<ICompanionTable, LiveAllocationTable>()
            .AddSingleton(s => new Checkpoints(s.GetRequiredService<NpgsqlDataSource>(), s.GetRequiredService<ILogger<Checkpoints>>()))
            .AddSingleton<Journal>()
            .AddHostedService(s => s.GetRequiredService<Journal>());
        return builder.Build();
    }

    private static void Print(TextWriter output, ImportReport report)
    {
        output.WriteLine($"{report.Nodes} nodes publish {report.Cards} cards. {report.Adopted.Count} pods {(report.DryRun ? "would be" : "were")} adopted, {report.KnownBefore} were counted already, {report.Left.Count} {(report.DryRun ? "would be" : "were")} left out.");
        if (report.Adopted.Count > 0)
        {
            var adopted = Printed.TableOf("Adopted", "Node", "Shares", "Memory MiB", "Compute %", "Read from");
            foreach (var pod in report.Adopted)
                adopted.Row($"{pod.Namespace}/{pod.Pod}", pod.Node, $"{pod.Shares}", $"{pod.MemoryMiB}", $"{pod.Cores}", pod.Source);
            Printed.Table(output, adopted);
        }
        if (report.Left.Count > 0)
        {
            var left = Printed.TableOf("Left out", "Why");
            foreach (var one in report.Left)
                left.Row(one.What, one.Why);
            Printed.Table(output, left);
            output.WriteLine("What they hold is not counted: until that is mended, their cards may be given away a second time.");
        }
    }
}
