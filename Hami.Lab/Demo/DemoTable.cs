using Hami.Lab.Cluster;
using Spectre.Console;

namespace Hami.Lab.Demo;

/// <summary>The report for people.</summary>
internal static class DemoTable
{
    private static readonly Dictionary<string, LabCard> Cards =
        DemoVerb.Nodes.SelectMany(node => node.Cards).ToDictionary(card => card.Uuid, StringComparer.Ordinal);

    public static void Print(IAnsiConsole console, DemoReport report)
    {
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var title in new[] { "Workload", "Node", "Cards", "Seen inside", "Cores", "More is answered", "" })
            table.AddColumn(title);
        foreach (var workload in report.Workloads)
            table.AddRow(Cells(workload).Select(cell => new Markup(cell)));
        if (report.Workloads.Count > 0)
            console.Write(table);

        foreach (var workload in report.Workloads.Where(workload => workload.Explanation is not null))
            console.MarkupLineInterpolated($"[bold]{workload.Name}[/] waits: {workload.Explanation}");
        foreach (var workload in report.Workloads.Where(workload => workload.Reason is not null))
            console.MarkupLineInterpolated($"[red]{workload.Name}:[/] expected {workload.Expected}. {workload.Reason}");
        if (report.Reason is not null)
            console.MarkupLineInterpolated($"[red]{report.Reason}[/]");
        console.MarkupLineInterpolated($"{(report.Ok ? "All as expected, every share is free again" : "Not as expected")}: {report.EventCount} events, {report.Seconds} s.");
    }

    private static IEnumerable<string> Cells(WorkloadReport workload)
    {
        yield return workload.Name;
        // In somebody else's cluster a node's name begins with the lab's, and the table would wrap.
        yield return Markup.Escape(workload.Node?.Split('-')[^1] ?? "–");
        yield return Markup.Escape(Counted(workload.Instances?.Select(instance => $"MIG {instance.Profile}")
            ?? workload.Devices.Select(device => Cards.TryGetValue(device.Uuid, out var card) ? Short(card.Model) : device.Uuid)));
        yield return Markup.Escape(Distinct(workload.SeenMemoryMiB.Select(mib => $"{mib} MiB")));
        yield return Markup.Escape(Distinct(workload.Devices.Select(device => device.Cores == 0 ? "any" : $"{device.Cores} %")));
        yield return Markup.Escape(workload.BeyondLimit?.Replace("CUDA_ERROR_", "", StringComparison.Ordinal) ?? "–");
        yield return workload.Status switch
        {
            "ok" => "[green]ok[/]",
            _ => "[red]failed[/]",
        };
    }

    private static string Counted(IEnumerable<string> models) =>
        Or(string.Join('\n', models.CountBy(model => model, StringComparer.Ordinal).Select(group => $"{group.Value} × {group.Key}")));

    private static string Distinct(IEnumerable<string> values) => Or(string.Join('\n', values.Distinct(StringComparer.Ordinal)));

    private static string Or(string text) => text.Length == 0 ? "–" : text;

    private static string Short(string model) =>
        model.Replace("NVIDIA ", "", StringComparison.Ordinal).Replace("GeForce ", "", StringComparison.Ordinal).Replace("Tesla ", "", StringComparison.Ordinal);
}
