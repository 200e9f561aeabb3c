using System.Collections.Concurrent;
using System.Diagnostics;

namespace Hami.Lab.Cluster;

/// <summary>The one thread that starts child processes, alive as long as this process.</summary>
/// <remarks>
/// Linux delivers a parent-death signal when the <em>thread</em> that forked ends, not the process (prctl(2), PR_SET_PDEATHSIG).
/// The pool retires its threads when they are idle, and would take our children with them.
/// </remarks>
internal static class ForkingThread
{
    private static readonly BlockingCollection<Action> Work = [];

    static ForkingThread() => new Thread(Run) { IsBackground = true, Name = "forking" }.Start();

    public static Task<Process> StartAsync(ProcessStartInfo start)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Work.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start."));
            }
            catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                started.SetException(e);
            }
        });
        return started.Task;
    }

    private static void Run()
    {
        foreach (var start in Work.GetConsumingEnumerable())
            start();
    }
}
