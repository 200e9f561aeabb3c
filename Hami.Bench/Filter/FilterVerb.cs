using System.CommandLine;
using Spectre.Console;

namespace Hami.Bench.Filter;

/// <summary><c>hami-bench filter</c>: how long one <c>/filter</c> takes over a large cluster.</summary>
internal static class FilterVerb
{
    public static Command Command()
    {
        var nodes = Numbers.Option("--nodes", "Nodes of the cluster; all are offered.", 5000, 1, 100_000);
        var devices = Numbers.Option("--devices", "Cards of each node.", 8, 1, 64);
        var calls = Numbers.Option("--calls", "Calls that are measured.", 5000, 100, 1_000_000);
        var policy = new Option<string?>("--policy") { Description = "Policy over nodes: binpack, spread or fragmentation; else the default." };
        var http = new Option<bool>("--http") { Description = "Through Kestrel and loopback, with one connection as kube-scheduler keeps it." };
        var json = new Option<bool>("--json") { Description = "One line for machines." };
        var command = new Command("filter", "Ask for a node for pods of several shapes; one node changes between calls.") { nodes, devices, calls, policy, http, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var run = new FilterRun(new(parsed.GetValue(nodes), parsed.GetValue(devices), seed: 4), parsed.GetValue(policy));
            var report = await run.MeasureAsync(parsed.GetValue(calls), parsed.GetValue(http), cancellationToken);
            return Printing.Print(report, parsed.GetValue(json), Show);
        });
        return command;
    }

    private static void Show(FilterReport report)
    {
        var table = new Table().AddColumns("Shape", "best ms", "p50 ms", "p99 ms", "Calls");
        foreach (var shape in report.Shapes)
            table.AddRow(shape.Shape, $"{shape.BestMs:F3}", $"{shape.P50Ms:F3}", $"{shape.P99Ms:F3}", $"{shape.Calls}");
        table.AddRow("[bold]all[/]", "", $"[bold]{report.P50Ms:F3}[/]", $"[bold]{report.P99Ms:F3}[/]", $"{report.Shapes.Sum(s => s.Calls)}");
        AnsiConsole.Write(table);
        AnsiConsole.MarkupLineInterpolated(
            $"{report.Nodes} nodes of {report.Devices} cards, {report.AllocatedPercent:F0} % of the memory allocated: {report.PerSecond:F0} calls a second, {report.AllocatedBytesPerCall / 1024.0:F0} KiB allocated a call, {report.RssMiB} MiB resident.");
        AnsiConsole.MarkupLineInterpolated(
            $"Floor: looking every name up and touching its node's cards takes {report.FloorMs:F3} ms; p50 is {report.P50Ms / report.FloorMs:F1} times that.");
    }
}

internal sealed record FilterReport(
    int Nodes, int Devices, double P50Ms, double P99Ms, double PerSecond, long AllocatedBytesPerCall, long RssMiB, double FloorMs,
    double AllocatedPercent, IReadOnlyList<ShapeReport> Shapes);

internal sealed record ShapeReport(string Shape, int Calls, double BestMs, double P50Ms, double P99Ms);
