using System.CommandLine;
using Spectre.Console;

namespace Hami.Bench.Telemetry;

/// <summary><c>hami-bench telemetry</c>: how many reports of nodes the control plane takes, and what keeping them costs.</summary>
internal static class TelemetryVerb
{
    public static Command Command()
    {
        var nodes = Numbers.Option("--nodes", "Nodes that tell.", 5000, 1, 20_000);
        var devices = Numbers.Option("--devices", "Cards of each node.", 8, 1, 64);
        var shares = Numbers.Option("--shares", "Containers with a part of a card on each node.", 16, 0, 500);
        var json = new Option<bool>("--json") { Description = "One line for machines." };
        var command = new Command("telemetry", "Reports of ten seconds of all nodes for one period: taken in, and its sums written to PostgreSQL.") { nodes, devices, shares, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var run = new TelemetryRun(parsed.GetValue(nodes), parsed.GetValue(devices), parsed.GetValue(shares));
            return Printing.Print(await run.MeasureAsync(cancellationToken), parsed.GetValue(json), Show);
        });
        return command;
    }

    private static void Show(TelemetryReport report)
    {
        AnsiConsole.MarkupLineInterpolated(
            $"{report.Nodes} nodes of {report.Devices} cards and {report.Shares} shares tell of two moments every ten seconds: {report.Nodes / 10.0:F0} reports a second of {report.BytesPerReport} bytes.");
        AnsiConsole.MarkupLineInterpolated($"Read and taken in on one core: {report.ReportsPerSecond:F0} reports a second, p99 {report.P99Microseconds:F0} µs.");
        AnsiConsole.MarkupLineInterpolated(
            $"In memory: {report.BytesPerSeries:F0} bytes a series, {report.Series} series, {report.MemoryMiB:F0} MiB with the sums of the period that is open.");
        AnsiConsole.MarkupLineInterpolated(
            $"Sums of a period: {report.Rows} rows written in {report.WriteSeconds:F1} s, {report.BytesPerRow:F0} bytes a row in PostgreSQL with its indexes; {report.GiBKept:F0} GiB in 30 days.");
        AnsiConsole.MarkupLineInterpolated($"The cluster's totals of a period are added up in {report.TotalMilliseconds:F0} ms.");
    }
}

/// <summary>What was measured.</summary>
internal sealed record TelemetryReport(
    int Nodes, int Devices, int Shares, int BytesPerReport, double ReportsPerSecond, double P99Microseconds, double BytesPerSeries, int Series, double MemoryMiB,
    int Rows, double WriteSeconds, double BytesPerRow, double GiBKept, double TotalMilliseconds);
