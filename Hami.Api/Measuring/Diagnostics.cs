using System.Diagnostics;
using System.Globalization;
using System.Runtime;

namespace Hami.Api.Measuring;

/// <summary><c>--profiling</c>: what the runtime knows of itself, and how to look closer. HAMi offers Go's pprof here.</summary>
internal static class Diagnostics
{
    public static void MapDiagnostics(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/debug", () =>
            $"""
            GET  /debug/runtime   counters of the .NET runtime: memory, collections, threads
            POST /debug/collect   a full garbage collection, and how much was in use before and after

            Profiles come from the .NET tools, in the pod or beside it (shareProcessNamespace):
              dotnet-trace collect --process-id {Environment.ProcessId}
              dotnet-counters monitor --process-id {Environment.ProcessId}
              dotnet-gcdump collect --process-id {Environment.ProcessId}
              dotnet-stack report --process-id {Environment.ProcessId}

            """);
        routes.MapGet("/debug/runtime", () => Results.Json(Counters()));
        routes.MapPost("/debug/collect", () =>
        {
            var before = GC.GetTotalMemory(forceFullCollection: false);
            GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
            var after = GC.GetTotalMemory(forceFullCollection: true);
            return Results.Json(new { usedBytesBefore = before, usedBytesAfter = after });
        });
    }

    private static SortedDictionary<string, object> Counters()
    {
        using var process = Process.GetCurrentProcess();
        var memory = GC.GetGCMemoryInfo();
        return new(StringComparer.Ordinal)
        {
            ["heapBytes"] = GC.GetTotalMemory(forceFullCollection: false),
            ["allocatedBytes"] = GC.GetTotalAllocatedBytes(),
            ["fragmentedBytes"] = memory.FragmentedBytes,
            ["committedBytes"] = memory.TotalCommittedBytes,
            ["pauseTimePercent"] = memory.PauseTimePercentage,
            ["collections"] = string.Join('/', Enumerable.Range(0, GC.MaxGeneration + 1).Select(g => GC.CollectionCount(g).ToString(CultureInfo.InvariantCulture))),
            ["serverGc"] = GCSettings.IsServerGC,
            ["workingSetBytes"] = process.WorkingSet64,
            ["processorSeconds"] = process.TotalProcessorTime.TotalSeconds,
            ["threads"] = process.Threads.Count,
            ["poolThreads"] = ThreadPool.ThreadCount,
            ["poolWaiting"] = ThreadPool.PendingWorkItemCount,
            ["exceptionsThrown"] = Exceptions.Count,
        };
    }

    /// <summary>Counted only where diagnostics are on.</summary>
    private static class Exceptions
    {
        private static long s_count;

        static Exceptions() => AppDomain.CurrentDomain.FirstChanceException += (_, _) => Interlocked.Increment(ref s_count);

        public static long Count => Interlocked.Read(ref s_count);
    }
}
