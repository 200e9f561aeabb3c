using System.Globalization;
using Hami.Lab.Cluster;

namespace Hami.Bench.Throughput;

/// <summary>Processor time that processes have used, in seconds; from <c>/proc/PID/stat</c>, as the machine may be shared and wall time then says little.</summary>
internal static class ProcessorTime
{
    // proc_pid_stat(5): fields 14 to 17 are utime, stime and those of children that have been waited for; 4 is the parent.
    private const int FirstField = 3;
    private const double TicksPerSecond = 100; // sysconf(_SC_CLK_TCK) on every Linux that .NET runs on

    /// <summary>Of one process; 0 when it is gone.</summary>
    public static double Of(int processId) => Fields(processId) is { } fields ? Seconds(fields) : 0;

    /// <summary>Of a process and its children, those that have ended included.</summary>
    public static double OfFamily(int processId) => Of(processId) + RunningProcesses
        .Where(id => Fields(id) is { } fields && fields[4 - FirstField] == processId.ToString(CultureInfo.InvariantCulture))
        .Sum(Of);

    private static double Seconds(string[] fields) =>
        fields.Skip(14 - FirstField).Take(4).Sum(field => long.Parse(field, CultureInfo.InvariantCulture)) / TicksPerSecond;

    private static string[]? Fields(int processId)
    {
        try
        {
            // The name in brackets may hold anything; the third field follows it.
            var text = File.ReadAllText($"/proc/{processId}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }
}
