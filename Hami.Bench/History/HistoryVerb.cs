using System.CommandLine;
using Spectre.Console;

namespace Hami.Bench.History;

/// <summary><c>hami-bench history</c>: what a long history costs, to start with, to rebuild from and to ask.</summary>
internal static class HistoryVerb
{
    public static Command Command()
    {
        var allocations = Numbers.Option("--allocations", "Allocations of the history; a million have more than four million events.", 1_000_000, 1000, 100_000_000);
        var nodes = Numbers.Option("--nodes", "Nodes of the cluster, of eight cards each.", 200, 2, 10_000);
        var keep = new Option<string?>("--keep") { Description = "Folder where the filled database stays, and from where a later run takes it." };
        var json = new Option<bool>("--json") { Description = "One line for machines." };
        var command = new Command("history", "Fill a ledger with a long history; then start, rebuild the read models and ask.") { allocations, nodes, keep, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var postgres = await TemporaryPostgres.StartAsync(cancellationToken, parsed.GetValue(keep));
            var report = await new HistoryRun(parsed.GetValue(allocations), parsed.GetValue(nodes), Console.Error.WriteLine).MeasureAsync(postgres, cancellationToken);
            return Printing.Print(report, parsed.GetValue(json), Show);
        });
        return command;
    }

    private static void Show(HistoryReport report)
    {
        var table = new Table().AddColumns("", "Measured", "Wanted");
        if (report.FillSeconds is { } fill)
            table.AddRow("filled", $"{fill:F0} s", "");
        table.AddRow("start until the log is folded, from its checkpoint", $"{report.StartSeconds:F2} s, the journal's part when warm {report.LoadSeconds:F2} s", "3 s");
        table.AddRow("all read models rebuilt", $"{report.RebuildEventsPerSecond:F0} events/s, {report.RebuildSeconds:F0} s", "10,000 events/s");
        table.AddRow("events read and folded, nothing written", $"{report.FoldEventsPerSecond:F0} events/s", "");
        table.AddRow("events read", $"{report.ReadEventsPerSecond:F0} events/s", "");
        table.AddRow("the same rows by COPY, thrown away", $"{report.CopyEventsPerSecond:F0} events/s", "");
        table.AddRow("rows counted", $"{report.CountEventsPerSecond:F0} events/s", "");
        Asked("page of allocations by namespace and time", report.Page, "p99 50 ms");
        Asked("explain", report.Explain, "p99 200 ms");
        Asked("clusterAt", report.ClusterAt, "1 s");
        Asked("audit who, a day of a card", report.Who, "");
        table.AddRow("on disk for each allocation", $"{report.EventBytes} bytes of events, {report.ReadModelBytes} of read models, {report.CheckpointBytes} of checkpoints", "");
        AnsiConsole.Write(table);
        AnsiConsole.MarkupLineInterpolated(
            $"{report.Allocations} allocations in {report.Days:F1} days, {report.Events} events, {report.Live} live and {report.Waiting} waiting at the end; PostgreSQL {report.Postgres}, fsync {report.Fsync}, synchronous_commit {report.SynchronousCommit}.");

        void Asked(string what, Spans took, string wanted) =>
            table.AddRow(what, $"p50 {took.P50Ms:F1} ms, p99 {took.P99Ms:F1} ms, most {took.MostMs:F1} ms of {took.Questions}", wanted);
    }
}
