using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Hami.Api.Commands;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Api.Archiving;

/// <summary><c>hami-api archive</c>: moves history that has ended into files, and back.</summary>
internal static class ArchiveVerb
{
    public static Command Command()
    {
        var (before, keep) = (MomentFlag.Create("--before", "Archive what happened up to this moment.", () => default), Keep());
        var to = new Option<string?>("--to") { Description = "Folder that the file of events is written into; keep all files of a log together." };
        var restore = new Option<string?>("--restore") { Description = "Folder with all files of the log: put back everything that is in them." };
        var command = LogVerb.Create("archive", "Move history that has ended out of the database into a file, and back.", [before, keep, to, restore], asked =>
            asked.Parsed.GetValue(restore) is { } folder
                ? RestoreAsync(asked, folder)
                : ArchiveAsync(asked, asked.Parsed.GetResult(keep) is null ? asked.Parsed.GetValue(before) : TimeProvider.System.GetUtcNow() - asked.Parsed.GetValue(keep), asked.Parsed.GetValue(to)!));
        command.Validators.Add(result =>
        {
            var (hasBefore, hasKeep) = (result.TextOf(before) is not null, result.TextOf(keep) is not null);
            if (result.TextOf(restore) is not null)
            {
                if (hasBefore || hasKeep || result.TextOf(to) is not null)
                    result.AddError("--restore puts everything back: give it alone.");
            }
            else if (hasBefore == hasKeep)
                result.AddError("Say up to when: give --before with a moment or --keep with a time, one of them.");
            else if (result.TextOf(to) is null)
                result.AddError("Say where to: give --to with a folder.");
        });
        return command;
    }

    private static Option<TimeSpan> Keep()
    {
        return new("--keep") { Description = "Archive what is older than this, as 90d, 36h or 90m.", CustomParser = Read };

        static TimeSpan Read(ArgumentResult result)
        {
            var text = result.Tokens[0].Value;
            if (text.EndsWith('d') && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var days) && days is > 0 and <= 36_500)
                return TimeSpan.FromDays(days);
            if (GoValues.TryDuration(text, out var time) && time > TimeSpan.Zero)
                return time;
            result.AddError($"--keep {text} is not a time such as 90d, 36h or 90m.");
            return default;
        }
    }

    private static async Task<int> ArchiveAsync(Asked asked, DateTimeOffset before, string folder)
    {
        var report = await new Archive(asked.Database, asked.Events, TimeProvider.System).RunAsync(before, folder, asked.CancellationToken);
        if (asked.Json)
        {
            Printed.Json(asked.Output, report);
            return ExitCode.Fine;
        }
        await asked.Output.WriteLineAsync(
            $"Events {report.First} to {report.Last}, {report.Events} in all, are in {report.File} now, and the log begins after the last of them, at {Printed.Moment(report.At)}.");
        await asked.Output.WriteLineAsync(
            $"{report.Deleted} rows left the database, {report.Kept} stay for what is still held or waits; the numbers of {report.Forgotten} streams were forgotten. It took {report.Seconds.ToString("0.0", CultureInfo.InvariantCulture)} s.");
        foreach (var file in report.LeftOver)
            await asked.Output.WriteLineAsync($"{file} is of a run that was ended before it was done: it can be deleted.");
        return ExitCode.Fine;
    }

    private static async Task<int> RestoreAsync(Asked asked, string folder)
    {
        var build = new ReadModelsBuild(asked.Database, asked.Events, NullLogger<ReadModelsBuild>.Instance);
        var report = await new Restoring(asked.Database, build).RunAsync(folder, asked.CancellationToken);
        if (asked.Json)
            Printed.Json(asked.Output, report);
        else
        {
            await asked.Output.WriteLineAsync(
                $"{report.Rows} rows of {report.Events} events in {report.Files} {(report.Files == 1 ? "file" : "files")} were put back, and the read models built anew: the log has everything again. It took {report.Seconds.ToString("0.0", CultureInfo.InvariantCulture)} s.");
        }
        return ExitCode.Fine;
    }
}
