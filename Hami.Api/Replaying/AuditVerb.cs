using System.CommandLine;
using Hami.Api.Commands;
using Hami.Api.Plumbing;

namespace Hami.Api.Replaying;

/// <summary><c>hami-api audit</c>: what the log proves.</summary>
internal static class AuditVerb
{
    public static Command Command() => new("audit", "Ask the log why, who and whether it is intact.") { Explain(), Verify(), Who(), ExportHead() };

    private static Command Explain()
    {
        var pod = new Argument<string>("POD") { Description = "namespace/name, or the pod's UID." };
        var at = MomentFlag.Create("--at", "As of this moment; now when not given.", TimeProvider.System.GetUtcNow);
        return LogVerb.Create("explain", "Tell why a pod is where it is, or why it is nowhere and what would let it fit.", [pod, at], async asked =>
        {
            var position = await asked.History.PositionAtAsync(asked.Parsed.GetValue(at), asked.CancellationToken);
            if (await asked.History.ExplainAsync(asked.Parsed.GetValue(pod)!, position, asked.CancellationToken) is not { } explained)
            {
                await asked.Error.WriteLineAsync($"The log knows no pod {asked.Parsed.GetValue(pod)} up to event {position}: give namespace/name or its UID; a pod that was never asked about, or asks for no cards, is not in it.{(await asked.History.HorizonAsync(asked.CancellationToken) is { } horizon ? $" One that ended by {Printed.Moment(horizon.At)} was moved to {horizon.File} or a file before it." : "")}");
                return ExitCode.No;
            }
            if (asked.Json)
                Printed.Json(asked.Output, explained);
            else
                await asked.Output.WriteAsync(ExplainText.Of(explained));
            return ExitCode.Fine;
        });
    }

    private static Command Verify()
    {
        var heads = new Option<string?>("--heads-file") { Description = "File of exported heads, as serve --heads-file writes it: whoever rewrote the whole log is found by it." };
        var keys = new Option<string[]>("--head-key-file") { Description = "PEM file with the key, public or private, that heads are signed with; may be repeated.", DefaultValueFactory = _ => [] };
        var archive = new Option<string?>("--archive") { Description = "Folder with the files that hami-api archive wrote: the log is read from its first event on, and what was kept of them is compared. From its horizon on when not given." };
        return LogVerb.Create("verify", "Replay the whole log and compare everything that is derived from it; ends with 0 when all is intact, else with 1.", [heads, keys, archive], async asked =>
        {
            var (file, keyFiles) = (asked.Parsed.GetValue(heads), asked.Parsed.GetValue(keys)!);
            var exported = file is null ? [] : HeadsFile.Read(file);
            var report = await new LogVerification(asked.Database, asked.Events).RunAsync(exported, keyFiles.Length == 0 ? null : HeadKeys.Read(keyFiles), asked.CancellationToken, asked.Parsed.GetValue(archive));
            if (asked.Json)
                Printed.Json(asked.Output, report);
            else
                Print(asked.Output, report);
            return report.IsIntact ? ExitCode.Fine : ExitCode.No;
        });
    }

    private static void Print(TextWriter output, VerifyReport report)
    {
        output.WriteLine($"{report.Events} events up to position {report.Position} were replayed, {report.Redecided} placements decided again{(report.NotRedecided > 0 ? $" ({report.NotRedecided} are too old for that)" : "")}.");
        if (report.Horizon is { } horizon)
        {
            output.WriteLine(horizon.Read is { } read
                ? $"{read} of them were read from the archive, up to event {horizon.Position} of {Printed.Moment(horizon.At)}; {horizon.Kept} rows that were kept of it were compared with their twins."
                : $"The log in the database begins after its horizon, event {horizon.Position} of {Printed.Moment(horizon.At)}: {horizon.Kept} rows kept of history before it were counted, not chained{(horizon.HeadsBefore > 0 ? $", {horizon.HeadsBefore} exported heads were not compared" : "")}; it is in {horizon.File} and the files before it, which --archive reads.");
        }
        output.WriteLine(report.ReadModelsTo is { } to
            ? $"Checkpoints, live_allocation and, up to event {to}, the read models were compared with a fresh fold."
            : "Checkpoints and live_allocation were compared with a fresh fold; there are no read models of this version to compare.");
        output.WriteLine(report.Heads == 0
            ? "No exported head was compared: who can write the database can have rewritten all of it."
            : $"{report.Heads} exported heads were compared{(report.SignaturesChecked ? "" : ", their signatures not, as no --head-key-file was given")}; up to event {report.ProtectedTo} nothing can have been changed unseen.");
        if (report.IsIntact)
        {
            output.WriteLine("The log is intact, and what is derived from it is equal to it.");
            return;
        }
        var table = Printed.TableOf("Event", "Stream", "What is wrong");
        foreach (var finding in report.Findings)
            table.Row(finding.Position?.ToString() ?? "", finding.Stream ?? "", finding.What);
        Printed.Table(output, table);
        output.WriteLine($"{report.Findings.Count + report.Unnamed} {(report.Findings.Count + report.Unnamed == 1 ? "finding" : "findings")}{(report.Unnamed > 0 ? $", {report.Unnamed} of them not shown" : "")}.");
    }

    private static Command Who()
    {
        var device = new Argument<string>("DEVICE") { Description = "UUID of the card." };
        var from = MomentFlag.Create("--from", "Begin of the time; the begin of the log when not given.", () => DateTimeOffset.MinValue);
        var to = MomentFlag.Create("--to", "End of the time; now when not given.", TimeProvider.System.GetUtcNow);
        return LogVerb.Create("who", "Tell who held a card, when, and how much of it.", [device, from, to], async asked =>
        {
            var uuid = asked.Parsed.GetValue(device)!;
            DateTimeOffset? begin = asked.Parsed.GetValue(from) is var given && given > DateTimeOffset.MinValue ? given : null;
            if (begin is null && await asked.History.HorizonAsync(asked.CancellationToken) is { } horizon)
                await asked.Error.WriteLineAsync($"From {Printed.Moment(horizon.At)} on, the horizon of the log; what was before is in {horizon.File} and the files before it.");
            var held = await asked.History.WhoHeldAsync(uuid, begin, asked.Parsed.GetValue(to), asked.CancellationToken);
            if (asked.Json)
            {
                Printed.Json(asked.Output, held);
                return ExitCode.Fine;
            }
            if (held.Count == 0)
            {
                await asked.Output.WriteLineAsync($"Nobody held a part of {uuid} in that time.");
                return ExitCode.Fine;
            }
            var table = Printed.TableOf("Pod", "Node", "Memory MiB", "Compute %", "From", "Until", "Ended");
            foreach (var h in held)
                table.Row($"{h.Namespace}/{h.Pod}", h.Node, $"{h.MemoryMiB}", $"{h.Cores}", Printed.Moment(h.From), h.Until is { } until ? Printed.Moment(until) : "held", h.Ended ?? "");
            Printed.Table(asked.Output, table);
            return ExitCode.Fine;
        });
    }

    private static Command ExportHead()
    {
        var file = new Option<string>("--heads-file") { Required = true, Description = "File to append the head to; - prints it." };
        var key = new Option<string>("--head-key-file") { Required = true, Description = "Ed25519 private key, PEM (PKCS#8), to sign it with." };
        return LogVerb.Create("export-head", "Append the log's signed head to a file outside the database.", [file, key], async asked =>
        {
            var signing = SigningKey.Read(asked.Parsed.GetValue(key)!);
            if (await JournalHeads.ReadAsync(asked.Database, asked.CancellationToken) is not { } head)
            {
                await asked.Error.WriteLineAsync("The log is empty: there is no head to export.");
                return ExitCode.No;
            }
            var signed = ExportedHead.Sign(head, signing);
            if (asked.Parsed.GetValue(file) is var to && to is "-" or null)
                await asked.Output.WriteLineAsync(signed.Line());
            else
                HeadsFile.Append(to, signed);
            if (asked.Json && to is not "-")
                Printed.Json(asked.Output, signed);
            else if (to is not "-")
                await asked.Output.WriteLineAsync($"The head at event {head.Position} was appended to {to}.");
            return ExitCode.Fine;
        });
    }
}
