using System.CommandLine;
using System.Text.Json;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Spectre.Console;

namespace Hami.Bench.Placement;

/// <summary><c>hami bench placement</c>: how much of a cluster a policy can fill.</summary>
internal static class PlacementVerb
{
    private const int UsageError = 2;

    private static readonly string[] Known = ["fragmentation", "fragmentation-learned", "binpack", "spread"];

    public static Command Command()
    {
        var nodes = new Option<string>("--nodes") { Required = true, HelpName = "FILE", Description = "Node list (CSV: sn, cpu_milli, memory_mib, gpu, model)." };
        var pods = new Option<string>("--pods") { Required = true, HelpName = "FILE", Description = "Pod list (CSV: name, cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec)." };
        var policy = new Option<string>("--policy") { HelpName = "P[,P…]", DefaultValueFactory = _ => "fragmentation,binpack,spread", Description = $"Policies to measure, of {string.Join(", ", Known)}." };
        var seeds = new Option<int>("--seeds") { HelpName = "N", DefaultValueFactory = _ => 10, Description = "Runs per policy, with the seeds 1 to N." };
        var json = new Option<bool>("--json") { Description = "One line for machines." };
        var command = new Command("placement", "Fill a cluster from a trace in the openb format, arrivals only, and tell how much of its cards is allocated.") { nodes, pods, policy, seeds, json };
        command.SetAction(parsed =>
        {
            try
            {
                return Run(parsed.GetValue(nodes)!, parsed.GetValue(pods)!, parsed.GetValue(policy)!, parsed.GetValue(seeds), parsed.GetValue(json));
            }
            catch (TraceException e)
            {
                Console.Error.WriteLine(e.Message);
                return UsageError;
            }
        });
        return command;
    }

    private static int Run(string nodesFile, string podsFile, string policyList, int seeds, bool json)
    {
        var policies = policyList.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (policies.Length == 0 || policies.FirstOrDefault(p => !Known.Contains(p, StringComparer.Ordinal)) is { } unknown && unknown is not null)
            throw new TraceException($"--policy {policyList}: choose from {string.Join(", ", Known)}, with commas between.");
        if (seeds is < 1 or > 1000)
            throw new TraceException($"--seeds {seeds}: it must be 1 to 1000.");
        var nodes = Trace.Nodes(nodesFile);
        var pods = Trace.Pods(podsFile);
        var capacity = Replay.CapacityMilli(nodes);
        if (capacity == 0)
            throw new TraceException($"{nodesFile} has no node with cards, so there is nothing to fill.");

        var measured = policies.Select(p => PolicyResult.Of(p, [.. Enumerable.Range(1, seeds).Select(seed => Replay.Run(nodes, Arrivals.Of(pods, capacity, seed), Placer(p, pods)))])).ToList();
        if (json)
            Console.WriteLine(JsonSerializer.Serialize(new { policies = measured }, JsonSerializerOptions.Web));
        else
            Print(measured, nodes.Count, seeds);
        return 0;
    }

    private static ITracePlacer Placer(string policy, IReadOnlyList<TracePod> pods) => policy switch
    {
        "binpack" => new ChoicePlacer(Packing.Binpack),
        "spread" => new ChoicePlacer(Packing.Spread),
        _ => new FragmentationPlacer(new(new(ListMix.Of(pods)))),
    };

    private static void Print(IReadOnlyList<PolicyResult> measured, int nodes, int seeds)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("Policy", "at 100 %: mean", "lowest", "highest", "at 130 %: mean", "ms per decision");
        foreach (var p in measured)
            table.AddRow(p.Policy, $"{p.MeanAt100:0.00}", $"{p.MinAt100:0.00}", $"{p.MaxAt100:0.00}", $"{p.MeanAt130:0.00}", $"{p.MsPerDecision:0.000}");
        AnsiConsole.Write(table);
        AnsiConsole.MarkupLine($"Percent of the cards of {nodes} nodes allocated, over {seeds} seed{(seeds == 1 ? "" : "s")}.");
    }
}

/// <summary>What the runs of one policy found together.</summary>
internal sealed record PolicyResult(string Policy, double MeanAt100, double MinAt100, double MaxAt100, double MeanAt130, double MsPerDecision)
{
    public static PolicyResult Of(string policy, IReadOnlyList<ReplayResult> runs) => new(
        policy,
        Math.Round(runs.Average(r => r.At100), 2), Math.Round(runs.Min(r => r.At100), 2), Math.Round(runs.Max(r => r.At100), 2), Math.Round(runs.Average(r => r.At130), 2),
        Math.Round(runs.Sum(r => r.Deciding.TotalMilliseconds) / runs.Sum(r => r.Decisions), 3));
}
