using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace Hami.Lab.Cluster;

/// <summary><c>hami up</c>: a cluster that stays.</summary>
internal static class UpVerb
{
    public static Command Command()
    {
        var directory = LabOptions.DirectoryOption();
        var json = LabOptions.JsonOption();
        var nodes = LabOptions.NodesOption();
        var mig = LabOptions.MigOption();
        var command = new Command("up", "Start the cluster and leave it running; after a crash it continues from its log.") { directory, nodes, mig, json };
        command.SetAction((parsed, ct) => RunAsync(new LabPaths(parsed.GetValue(directory)!), parsed.GetValue(nodes), parsed.GetValue(mig), parsed.GetValue(json), ct));
        return command;
    }

    private static async Task<int> RunAsync(LabPaths paths, int? nodes, bool mig, bool json, CancellationToken ct)
    {
        if (LabLock.IsHeld(paths) && LabState.Read(paths) is { } already)
        {
            await Console.Error.WriteLineAsync(nodes is { } wanted && wanted != already.Nodes
                ? $"The cluster is already running with {already.Nodes} nodes; `./hami down` first, then `./hami up --nodes {wanted}`."
                : mig && !already.Mig ? "The cluster is already running without nodes in MIG mode; `./hami down` first, then `./hami up --mig`."
                : "The cluster is already running.");
            Print(already, json);
            return 0;
        }

        paths.Create();
        var log = paths.Log("serve");
        await File.WriteAllTextAsync(log, "", ct);
        using var serve = Detached.Start([.. BuiltPrograms.Lab, "serve", "--directory", paths.Root, .. NodesFlag(nodes), .. mig ? ["--mig"] : Array.Empty<string>()], log);
        if (await ReadyAsync(paths, serve, log, ct) is not { } state)
        {
            await Console.Error.WriteLineAsync($"The cluster did not start: {File.ReadLines(log).LastOrDefault()} Its logs are in {paths.Logs}.");
            return 1;
        }

        Print(state, json);
        return 0;
    }

    private static IEnumerable<string> NodesFlag(int? nodes) => nodes is { } count ? ["--nodes", count.ToString(CultureInfo.InvariantCulture)] : [];

    private static async Task<LabState?> ReadyAsync(LabPaths paths, Process serve, string log, CancellationToken ct)
    {
        var told = 0;
        while (!serve.HasExited)
        {
            // Only its own word counts: the addresses of the last run stay there for its ports.
            if (LabState.Read(paths) is { } state && state.ProcessId == serve.Id)
                return state;
            foreach (var line in File.ReadLines(log).Skip(told).ToList())
            {
                told++;
                if (line.StartsWith(ServeVerb.ProgressMark, StringComparison.Ordinal))
                    await Console.Error.WriteLineAsync(line);
            }

            await Task.Delay(100, ct);
        }

        return null;
    }

    private static void Print(LabState state, bool json) => Console.WriteLine(json ? state.ToJson() : string.Create(CultureInfo.InvariantCulture, $"""
        kubectl     export KUBECONFIG={state.Kubeconfig}
        API server  {state.ApiServer}
        Web UI      {state.ControlPlane}  (sign in with the token: {LabToken.Of(state.Kubeconfig)})
        GraphQL     {state.GraphQL}
        GraphiQL    {state.GraphiQL}
        logs        {state.Logs}
        Try         kubectl apply -f deploy/examples/gpu-test-pod.yaml && sleep 2 && kubectl logs gpu-test
        """));
}
