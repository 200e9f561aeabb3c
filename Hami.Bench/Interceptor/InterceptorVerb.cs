using System.CommandLine;
using Spectre.Console;

namespace Hami.Bench.Interceptor;

/// <summary><c>hami-bench interceptor</c>: what a call to the driver costs with <c>libvgpu.so</c> in between.</summary>
internal static class InterceptorVerb
{
    public static Command Command()
    {
        var rounds = Numbers.Option("--rounds", "How often each is measured; the fastest counts.", 5, 1, 1000);
        var json = new Option<bool>("--json") { Description = "One line for machines." };
        var command = new Command("interceptor", "Nanoseconds a call over a driver whose calls cost nothing: bare, and under libvgpu.so.") { rounds, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var report = await new InterceptorRun(parsed.GetValue(rounds)).MeasureAsync(cancellationToken);
            return Printing.Print(report, parsed.GetValue(json), Show);
        });
        return command;
    }

    private static void Show(InterceptorReport report)
    {
        var table = new Table().AddColumns("", "Bare", "Under libvgpu.so", "More");
        Row("cuLaunchKernel, no compute limit, ns", report.LaunchNs);
        Row("cuLaunchKernel, limit of 50 %, ns", report.LaunchLimitedNs);
        Row("cuMemAlloc + cuMemFree, ns", report.AllocFreeNs);
        Row("cuMemFree with 20,000 live blocks, ns", report.FreeLive20kNs);
        Row("cuMemGetInfo, ns", report.MemInfoNs);
        Row("One process starts, ms", report.Init1Ms);
        Row("20 processes start at once, ms", report.Init20Ms);
        AnsiConsole.Write(table);

        void Row(string what, Pair pair) => table.AddRow(what, $"{pair.Native:F1}", $"{pair.Ours:F1}", $"{pair.Ours - pair.Native:F1}");
    }
}

/// <summary>The same, bare and under the interceptor.</summary>
internal sealed record Pair(double Native, double Ours);

/// <summary>What was measured: nanoseconds a call, and milliseconds until processes have started CUDA and allocated.</summary>
internal sealed record InterceptorReport(
    Pair LaunchNs, Pair LaunchLimitedNs, Pair AllocFreeNs, Pair FreeLive20kNs, Pair MemInfoNs, Pair Init1Ms, Pair Init20Ms);
