using System.CommandLine;
using Hami.Api.Commands;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary><c>hami-api whatif</c>: recorded arrivals under another policy.</summary>
internal static class WhatIfVerb
{
    public static Command Command()
    {
        var policy = new Option<PlacementPolicy>("--policy")
        {
            Required = true,
            Description = $"Policy over nodes ({NodePolicies.Words}), then after a slash over the cards of a node ({CardPolicy.Words}), spread when not given: fragmentation/fragmentation.",
            CustomParser = result =>
            {
                var parts = result.Tokens[0].Value.Split('/', 2);
                if (NodePolicies.TryParse(parts[0]) is { } nodes && CardPolicy.TryParse(parts.Length == 2 ? parts[1] : "spread") is { } cards)
                    return new(nodes, cards);
                result.AddError($"--policy {result.Tokens[0].Value} is not a policy over nodes ({NodePolicies.Words}), and after a slash one over cards ({CardPolicy.Words}).");
                return null;
            },
        };
        var from = MomentFlag.Create("--from", "Begin of the time to run again.", null);
        var to = MomentFlag.Create("--to", "Its end; now when not given.", TimeProvider.System.GetUtcNow);
        return LogVerb.Create("whatif", "Run the arrivals of a time again under another policy and compare.", [policy, from, to], async asked =>
        {
            var (begin, end) = (asked.Parsed.GetValue(from), asked.Parsed.GetValue(to));
            if (begin >= end)
            {
                await asked.Error.WriteLineAsync($"--from {Printed.Moment(begin)} is not before --to {Printed.Moment(end)}.");
                return ExitCode.Unanswered;
            }
            var events = await asked.History.BetweenAsync(begin, end, asked.CancellationToken);
            var report = await asked.History.WhatIfAsync(asked.Parsed.GetValue(policy)!, begin, end, events, asked.CancellationToken);
            if (asked.Json)
                Printed.Json(asked.Output, report);
            else
                Print(asked.Output, report);
            return ExitCode.Fine;
        });
    }

    private static void Print(TextWriter output, WhatIfReport report)
    {
        var all = new[] { report.Recorded, report.SameRules, report.OtherPolicy };
        var table = Printed.TableOf(["", .. all.Select(o => o.Rules)]);
        Row("Pods that came", o => $"{o.Arrivals}");
        Row("refused when they came", o => $"{o.Refused}");
        Row("never placed", o => $"{o.NeverPlaced}");
        Row("mean wait, seconds", o => $"{o.MeanWaitSeconds:0.0}");
        Row("longest wait, seconds", o => $"{o.LongestWaitSeconds:0.0}");
        Row("memory allocated, %", o => $"{o.AllocatedMemoryPercent:0.0}");
        Row("compute allocated, %", o => $"{o.AllocatedCoresPercent:0.0}");
        output.WriteLine($"From {Printed.Moment(report.From)} to {Printed.Moment(report.To)}:");
        Printed.Table(output, table);
        output.WriteLine(report.Approximates);

        void Row(string what, Func<PolicyOutcome, string> of) => table.Row([what, .. all.Select(of)]);
    }
}
