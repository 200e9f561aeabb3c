using System.CommandLine;
using Spectre.Console;

namespace Hami.Bench.Journaling;

/// <summary><c>hami-bench journal</c>: how many decisions a second are made durable.</summary>
internal static class JournalVerb
{
    public static Command Command()
    {
        var callers = Numbers.Option("--callers", "Binds under way at once, for the groups.", 64, 1, 4096);
        var seconds = Numbers.Option("--seconds", "How long each part is measured.", 10, 1, 600);
        var json = new Option<bool>("--json") { Description = "One line for machines." };
        var command = new Command("journal", "Placements decided and committed: one at a time, in groups, and raw COPY as the floor.") { callers, seconds, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var run = new JournalRun(parsed.GetValue(callers), TimeSpan.FromSeconds(parsed.GetValue(seconds)));
            var report = await run.MeasureAsync(cancellationToken);
            return Printing.Print(report, parsed.GetValue(json), shown => Show(shown, parsed.GetValue(callers)));
        });
        return command;
    }

    private static void Show(JournalReport report, int callers)
    {
        var table = new Table().AddColumns("", "Events a second", "p50 ms", "p99 ms");
        table.AddRow("one at a time", $"{report.SingleEventsPerSecond:F0}", $"{report.SingleP50Ms:F2}", $"{report.SingleP99Ms:F2}");
        table.AddRow($"{callers} callers at once", $"{report.GroupEventsPerSecond:F0}", $"{report.GroupP50Ms:F2}", $"{report.GroupP99Ms:F2}");
        table.AddRow("until another process knows", "", $"{report.FollowerP50Ms:F2}", $"{report.FollowerP99Ms:F2}");
        table.AddRow("COPY of the same rows", $"{report.CopyEventsPerSecond:F0}", "", "");
        AnsiConsole.Write(table);
        AnsiConsole.MarkupLineInterpolated($"PostgreSQL {report.Postgres}, fsync {report.Fsync}, synchronous_commit {report.SynchronousCommit}; {report.BytesPerEvent} bytes of JSON an event; {report.EventsPerGroup:F1} events a commit.");
    }
}

/// <summary>What was measured.</summary>
/// <param name="GroupP50Ms">From asking for a placement to its being durable.</param>
/// <param name="FollowerP50Ms">From there until another process on the same database has folded it.</param>
internal sealed record JournalReport(
    double SingleEventsPerSecond, double SingleP50Ms, double SingleP99Ms, double GroupEventsPerSecond, double GroupP50Ms, double GroupP99Ms,
    double FollowerP50Ms, double FollowerP99Ms, double CopyEventsPerSecond, double EventsPerGroup, long BytesPerEvent, string Postgres, string Fsync, string SynchronousCommit);
