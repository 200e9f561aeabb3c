using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Hami.Lab.Cluster;

namespace Hami.Lab.Kubelet;

/// <summary>A container's processes: one session of its own, so that all of them can be signalled.</summary>
internal static class ProcessGroup
{
    public const int Terminate = Signals.Terminate;
    public const int Kill = Signals.Kill;

    private static readonly string? SetPriv = Programs.Find("setpriv", Environment.GetEnvironmentVariable("PATH"));

    /// <summary>The words that put a command into its own session, tie it to our life and give it exactly this environment.</summary>
    /// <remarks>The environment is set last, by <c>env</c>: a preloaded library must not run in the programs before it.</remarks>
    public static IEnumerable<string> Wrap(LaunchPlan plan, IReadOnlyList<string> command)
    {
        yield return "setsid";
        if (SetPriv is not null)
        {
            yield return SetPriv;
            yield return "--pdeathsig";
            yield return "KILL";
        }
        yield return "env";
        yield return "-i";
        foreach (var (name, value) in plan.Environment)
            yield return $"{name}={value}";
        foreach (var word in command)
            yield return word;
    }

    /// <summary>Signals the whole group; a process that has not got its own group yet is signalled alone.</summary>
    public static void Signal(int leader, int signal)
    {
        if (!Signals.Send(-leader, signal))
            _ = Signals.Send(leader, signal);
    }

    /// <summary>Kills what is left of a group whose leader has ended; the leader's number alone may be somebody else's by now.</summary>
    public static void KillRest(int leader) => _ = Signals.Send(-leader, Kill);

    /// <summary>When a process started, in clock ticks since boot; null when it is gone.</summary>
    public static long? StartTime(int pid) => Stat(pid) is { } fields ? long.Parse(fields[19], CultureInfo.InvariantCulture) : null;

    /// <summary>Kills a group left over from an earlier run, unless the number belongs to somebody else by now.</summary>
    public static bool KillStale(int leader, long startTime)
    {
        var now = StartTime(leader);
        if (now is not null && now != startTime)
            return false;
        // The leader itself too: it may not have got its own group yet.
        var left = Members(leader).Union(now is null ? [] : [leader]).ToList();
        foreach (var pid in left)
            _ = Signals.Send(pid, Kill);
        return left.Count > 0;
    }

    private static List<int> Members(int group) =>
        [.. RunningProcesses.Where(pid => Stat(pid) is { } fields && fields[2] == group.ToString(CultureInfo.InvariantCulture))];

    // Fields after the command's closing bracket: state, ppid, pgrp, session, …; the start time is the 20th of them (proc_pid_stat(5), field 22).
    private static string[]? Stat(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : fields;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}

/// <summary>Looks programs up as execvp would.</summary>
internal static class Programs
{
    /// <summary>Where the program is; null when nothing executable has that name.</summary>
    public static string? Find(string name, string? path)
    {
        if (name.Contains('/'))
            return IsExecutable(name) ? name : null;
        return (path ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, name)).FirstOrDefault(IsExecutable);
    }

    // X_OK of access(2).
    private const int Executable = 1;

    [DllImport("libc", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
#pragma warning disable SYSLIB1054, CA5392, CA2101 // The generated marshalling needs unsafe code for the whole project; .NET's "Ansi" is UTF-8 on Linux.
    private static extern int access(string path, int mode);
#pragma warning restore SYSLIB1054, CA5392, CA2101

    private static bool IsExecutable(string file) =>
        File.Exists(file) && access(file, Executable) == 0;
}
