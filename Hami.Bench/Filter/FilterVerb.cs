using System.Buffers;
using System.CommandLine;
using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;
using Hami.Api.Placing;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Spectre.Console;

namespace Hami.Bench.Filter;

/// <summary><c>hami-bench filter</c>: how long one <c>/filter</c> takes over a large cluster.</summary>
internal static class FilterVerb
{
    public static Command Command()
    {
        var nodes = new Option<int>("--nodes") { Description = "Nodes of the cluster; all are offered.", DefaultValueFactory = _ => 5000 };
        var devices = new Option<int>("--devices") { Description = "Cards of each node.", DefaultValueFactory = _ => 8 };
        var calls = new Option<int>("--calls") { Description = "Calls that are measured.", DefaultValueFactory = _ => 5000 };
        var policy = new Option<string?>("--policy") { Description = "Policy over nodes: binpack, spread or fragmentation; else the default." };
        var http = new Option<bool>("--http") { Description = "Through Kestrel and loopback, with one connection as kube-scheduler keeps it." };
        var json = new Option<bool>("--json") { Description = "One line for machines." };
        var command = new Command("filter", "Ask for a node for pods of several shapes; one node changes between calls.") { nodes, devices, calls, policy, http, json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(nodes) is < 1 or > 100_000 || result.GetValue(devices) is < 1 or > 64 || result.GetValue(calls) < 100)
                result.AddError("filter needs --nodes 1 to 100000, --devices 1 to 64 and --calls 100 or more.");
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var run = new FilterRun(new(parsed.GetValue(nodes), parsed.GetValue(devices), seed: 4), parsed.GetValue(policy));
            var report = await run.MeasureAsync(parsed.GetValue(calls), parsed.GetValue(http), cancellationToken);
            if (parsed.GetValue(json))
                Console.WriteLine(JsonSerializer.Serialize(report, JsonSerializerOptions.Web));
            else
                Show(report);
            return 0;
        });
        return command;
    }

    private static void Show(FilterReport report)
    {
        var table = new Table().AddColumns("Shape", "p50 ms", "p99 ms", "Calls");
        foreach (var shape in report.Shapes)
            table.AddRow(shape.Shape, $"{shape.P50Ms:F3}", $"{shape.P99Ms:F3}", $"{shape.Calls}");
        table.AddRow("[bold]all[/]", $"[bold]{report.P50Ms:F3}[/]", $"[bold]{report.P99Ms:F3}[/]", $"{report.Shapes.Sum(s => s.Calls)}");
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

internal sealed record ShapeReport(string Shape, int Calls, double P50Ms, double P99Ms);
