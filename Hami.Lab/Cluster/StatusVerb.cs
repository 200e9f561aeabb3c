using System.CommandLine;
using System.Text.Json;
using Spectre.Console;

namespace Hami.Lab.Cluster;

/// <summary><c>hami status</c>: what runs, where, and what is used.</summary>
internal static class StatusVerb
{
    // As `systemctl status` answers for a stopped unit.
    private const int NotRunning = 3;

    private const int MostRows = 64;

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

        using var control = new ControlPlane(state.ControlPlane, LabToken.Of(state.Kubeconfig));
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
        var cards = nodes.SelectMany(node => node.Devices.Select(device => (node.Name, Device: device))).ToList();
        // A big cluster shows what is used of it.
        var shown = cards.Count <= MostRows ? cards : [.. cards.Where(card => !card.Device.IsFree).Take(MostRows)];
        var table = new Table().Border(TableBorder.Rounded).AddColumns("Node", "Card", "Type", "Memory", "Cores", "Slots");
        foreach (var (node, device) in shown)
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
        if (shown.Count < cards.Count)
            Console.WriteLine($"{cards.Count} cards on {nodes.Count} nodes, {cards.Count(card => card.Device.IsFree)} of them free; {shown.Count} of the others are shown.");
        Console.WriteLine($"The control plane is {(ready ? "ready" : "not ready")}. kubectl: export KUBECONFIG={state.Kubeconfig}");
        Console.WriteLine($"Web UI: {state.ControlPlane}  sign in with the token: {LabToken.Of(state.Kubeconfig)}");
        Console.WriteLine($"GraphQL: {state.GraphQL}  in a browser: {state.GraphiQL}  logs: {state.Logs}");
    }
}
