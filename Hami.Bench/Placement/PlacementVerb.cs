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
    private const int MostSeeds = 1000;

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
                var measured = Measure(parsed.GetValue(nodes)!, parsed.GetValue(pods)!, parsed.GetValue(policy)!, parsed.GetValue(seeds));
                var output = parsed.InvocationConfiguration.Output;
                if (parsed.GetValue(json))
                    output.WriteLine(JsonSerializer.Serialize(new { policies = measured }, JsonSerializerOptions.Web));
                else
                    Print(output, measured, parsed.GetValue(seeds));
                return 0;
            }
            catch (TraceException e)
            {
                parsed.InvocationConfiguration.Error.WriteLine(e.Message);
                return UsageError;
            }
        });
        return command;
    }

    private static List<PolicyResult> Measure(string nodesFile, string podsFile, string policyList, int seeds)
    {
        var policies = policyList.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (policies.Length == 0 || !Array.TrueForAll(policies, p => Known.Contains(p, StringComparer.Ordinal)))
            throw new TraceException($"--policy {policyList}: choose from {string.Join(", ", Known)}, with commas between.");
        if (seeds is < 1 or > MostSeeds)
            throw new TraceException($"--seeds {seeds}: it must be 1 to {MostSeeds}.");
        var nodes = Trace.Nodes(nodesFile);
        var pods = Trace.Pods(podsFile);
        var capacity = Replay.CapacityMilli(nodes);
        if (capacity == 0)
            throw new TraceException($"{nodesFile} has no node with cards, so there is nothing to fill.");

        return [.. policies.Select(p => PolicyResult.Of(p, [.. Enumerable.Range(1, seeds).Select(
            seed => Replay.Run(nodes, Arrivals.Of(pods, capacity, seed), Placer(p, nodes, pods)))]))];
    }

    private static ITracePlacer Placer(string policy, IReadOnlyList<TraceNode> nodes, IReadOnlyList<TracePod> pods)
    {
        var cardsByModel = nodes.GroupBy(n => n.Model, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Sum(n => n.Cards), StringComparer.Ordinal);
        return policy switch
        {
            "binpack" => new ChoicePlacer(NodePolicy.Binpack, CardPolicy.Binpack, Terms.Plain.Typical),
            "spread" => new ChoicePlacer(NodePolicy.Spread, CardPolicy.Spread, Terms.Plain.Typical),
            "fragmentation-learned" => new LearningPlacer(cardsByModel),
            _ => new ChoicePlacer(NodePolicy.Fragmentation, new("fragmentation"), new(new(ListMix.Of(pods), cardsByModel))),
        };
    }

    private static void Print(TextWriter output, List<PolicyResult> measured, int seeds)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("Policy", "at 100 %", "lowest", "highest", "at 130 %", "ms/decision");
        foreach (var p in measured)
            table.AddRow(p.Policy, $"{p.MeanAt100:0.00}", $"{p.MinAt100:0.00}", $"{p.MaxAt100:0.00}", $"{p.MeanAt130:0.00}", $"{p.MsPerDecision:0.000}");
        AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(output) }).Write(table);
        output.WriteLine($"Percent of all cards allocated when 100 and 130 percent had been requested; mean of {seeds} seed{(seeds == 1 ? "" : "s")}.");
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
