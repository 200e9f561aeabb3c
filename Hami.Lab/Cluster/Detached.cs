using System.Diagnostics;

namespace Hami.Lab.Cluster;

/// <summary>Starts a program that outlives us and our terminal.</summary>
internal static class Detached
{
    public static Process Start(IReadOnlyList<string> command, string log)
    {
        // A session of its own: no Ctrl+C and no hang-up of this terminal reaches it.
        string[] session = Programs.Find("setsid") is { } setsid ? [setsid] : Programs.Find("nohup") is { } nohup ? [nohup] : [];
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = "/" };
        string[] words = ["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", log, .. session, .. command];
        foreach (var word in words)
            start.ArgumentList.Add(word);
        return Process.Start(start) ?? throw new InvalidOperationException($"{command[0]} did not start.");
    }
}
