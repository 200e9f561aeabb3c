using System.CommandLine;
using System.Text.Json;
using Spectre.Console;

namespace Hami.Lab.Cluster;

/// <summary><c>hami status</c>: what runs, where, and what is used.</summary>
internal static class StatusVerb
{
    // As `systemctl status` answers for a stopped unit.
    private const int NotRunning = 3;

    public static Command Command()
    {
        var directory = LabOptions.DirectoryOption();
        var json = LabOptions.JsonOption();
        var command = new Command("status", "Show where the cluster is and what is used of it; exit code 3 when it is not running.") { directory, json };
        command.SetAction((parsed, ct) => RunAsync(new LabPaths(parsed.GetValue(directory)!), parsed.GetValue(json), ct));
        return command;
    }

    private static async Task<int> RunAsync(LabPaths paths, bool json, CancellationToken ct)
    {
        if (!LabLock.IsHeld(paths) || LabState.Read(paths) is not { } state)
        {
            Console.WriteLine(json ? """{"running":false}""" : "No cluster is running; `./hami up` starts one.");
            return NotRunning;
        }

        using var control = new ControlPlane(state.ControlPlane);
        var ready = await control.IsReadyAsync(ct);
        var nodes = ready ? await control.NodesAsync(ct) : [];
        if (json)
            Console.WriteLine(JsonSerializer.Serialize(new { running = true, ready, state.Kubeconfig, state.ApiServer, state.GraphQL, state.GraphiQL, state.Logs, nodes }, JsonSerializerOptions.Web));
        else
            Print(state, ready, nodes);
        return ready ? 0 : 1;
    }

    private static void Print(LabState state, bool ready, IReadOnlyList<NodeAnswer> nodes)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("Node", "Card", "Type", "Memory", "Cores", "Slots");
        foreach (var (node, device) in nodes.SelectMany(node => node.Devices.Select(device => (node.Name, device))))
        {
            table.AddRow(
                Markup.Escape(node),
                $"{device.Index}",
                Markup.Escape(device.Type),
                $"{device.UsedMemoryMiB} / {device.MemoryMiB} MiB",
                $"{device.UsedCores} / {device.Cores} %",
                $"{device.UsedSlots} / {device.Slots}");
        }

        Consoles.Out.Write(table);
        Console.WriteLine($"The control plane is {(ready ? "ready" : "not ready")}. kubectl: export KUBECONFIG={state.Kubeconfig}");
        Console.WriteLine($"GraphQL: {state.GraphQL}  in a browser: {state.GraphiQL}  logs: {state.Logs}");
    }
}
