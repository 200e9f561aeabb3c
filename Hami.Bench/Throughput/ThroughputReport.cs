using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace Hami.Bench.Throughput;

/// <summary>What a run came to.</summary>
/// <param name="Seconds">From the first apply to the last pod running.</param>
/// <param name="P99Ms">From a pod's creation to its running.</param>
/// <param name="LoggedSeconds">From the first apply until the log had every pod attached.</param>
/// <param name="EventsPerPod">Events that a pod left in the log.</param>
/// <param name="ApiWritesPerPod">Writes to the API server per pod, by whomever.</param>
/// <param name="CommitsPerPod">PostgreSQL's transactions per pod.</param>
/// <param name="SyncsPerPod">Times per pod that PostgreSQL forced its log to the disk; null where it does not count them.</param>
/// <param name="CpuMsPerPod">Processor time per pod, by process.</param>
internal sealed record ThroughputReport(
    int Nodes, int Cards, int Pods, string Policy, double Seconds, double PodsPerSecond, double P50Ms, double P99Ms, double LoggedSeconds, double EventsPerPod, double ApiWritesPerPod,
    double CommitsPerPod, double? SyncsPerPod, IReadOnlyDictionary<string, double> CpuMsPerPod, string Postgres, string Fsync, string SynchronousCommit, int Cores)
{
    public string ToJson() => JsonSerializer.Serialize(this, JsonSerializerOptions.Web);

    public void Print(IAnsiConsole console)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("What", "Measured");
        Row("Nodes × cards", Invariant($"{Nodes} × {Cards / Math.Max(1, Nodes)}, on a machine of {Cores} cores"));
        Row("Node policy", Policy);
        Row("Pods, from the first apply to the last running", Invariant($"{Pods} in {Seconds:F2} s"));
        Row("Pods per second", Invariant($"{PodsPerSecond:F0}"));
        Row("One pod, from create to running", Invariant($"p50 {P50Ms:F0} ms, p99 {P99Ms:F0} ms"));
        Row("Until the log had all attached", Invariant($"{LoggedSeconds:F2} s, {EventsPerPod:F2} events a pod"));
        Row("Writes to the API server per pod", Invariant($"{ApiWritesPerPod:F2}"));
        Row("PostgreSQL", Invariant($"{Postgres}, fsync {Fsync}, synchronous_commit {SynchronousCommit}"));
        Row("Commits, forced writes per pod", Invariant($"{CommitsPerPod:F3}, {SyncsPerPod:F3}"));
        foreach (var (process, ms) in CpuMsPerPod)
            Row($"CPU per pod, {process}", Invariant($"{ms:F2} ms"));
        Row("CPU per pod, all", Invariant($"{CpuMsPerPod.Values.Sum():F2} ms"));
        console.Write(table);
        console.WriteLine("Containers are pretended, and one process serves the agents of all nodes; webhook, filter, bind, PostgreSQL and every call between kubelet and device plugin are real.");

        void Row(string what, string measured) => table.AddRow(Markup.Escape(what), Markup.Escape(measured));
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
