using Spectre.Console;

namespace Hami.Lab.Demo;

/// <summary>The report for people.</summary>
internal static class DemoTable
{
    public static void Print(IAnsiConsole console, DemoReport report)
    {
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var title in new[] { "Workload", "Node", "Cards", "Seen inside", "Beyond the limit", "Expected", "" })
            table.AddColumn(title);
        foreach (var workload in report.Workloads)
            table.AddRow(Cells(workload).Select(cell => new Markup(cell)));
        console.Write(table);

        foreach (var workload in report.Workloads.Where(workload => workload.Explanation is not null))
            console.MarkupLineInterpolated($"[grey]{workload.Name} waits:[/] {workload.Explanation}");
        foreach (var workload in report.Workloads.Where(workload => workload.Reason is not null))
            console.MarkupLineInterpolated($"[red]{workload.Name}:[/] {workload.Reason}");
        if (report.Reason is not null)
            console.MarkupLineInterpolated($"[red]{report.Reason}[/]");
        console.MarkupLineInterpolated($"{(report.Ok ? "All as expected" : "Not as expected")}: {report.EventCount} events in {report.Seconds} s.");
    }

    private static IEnumerable<string> Cells(WorkloadReport workload)
    {
        yield return workload.Name;
        yield return Markup.Escape(workload.Node ?? "–");
        yield return workload.Devices.Count == 0 ? "–" : Markup.Escape(string.Join('\n', workload.Devices.Select(Card)));
        yield return workload.SeenMemoryMiB.Count == 0 ? "–" : string.Join('\n', workload.SeenMemoryMiB.Select(mib => $"{mib} MiB"));
        yield return Markup.Escape(workload.BeyondLimit ?? "–");
        yield return Markup.Escape(workload.Skipped ?? workload.Expected);
        yield return workload.Status switch
        {
            "ok" => "[green]ok[/]",
            "skipped" => "[yellow]skipped[/]",
            _ => "[red]failed[/]",
        };
    }

    // The UUID's ends tell the lab's cards apart, and a row stays short.
    private static string Card(DeviceReport device) =>
        $"{device.Uuid[..12]}…{device.Uuid[^2..]} {device.MemoryMiB} MiB{(device.Cores > 0 ? $" {device.Cores} %" : "")}";
}
