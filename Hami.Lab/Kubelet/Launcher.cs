using System.Collections.Concurrent;
using System.Diagnostics;

namespace Hami.Lab.Kubelet;

/// <summary>Starts processes from one thread that lives as long as its owner: a kubelet, or the whole lab.</summary>
/// <remarks>PR_SET_PDEATHSIG fires when the thread that forked ends, not the process; a thread of the pool would take what it started down with it.</remarks>
internal sealed class Launcher : IDisposable
{
    private readonly BlockingCollection<Action> _starts = [];
    private readonly Thread _thread;

    public Launcher()
    {
        _thread = new(Run) { IsBackground = true, Name = "launcher" };
        _thread.Start();
    }

    /// <summary>Starts the process; throws what <see cref="Process.Start()"/> throws.</summary>
    public Task<Process> Start(ProcessStartInfo how)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _starts.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(how) ?? throw new InvalidOperationException($"{how.FileName} did not start."));
            }
            catch (Exception e)
            {
                started.SetException(e);
            }
        });
        return started.Task;
    }

    /// <summary>Ends the thread, and with it whatever it started that still runs.</summary>
    public void Dispose()
    {
        _starts.CompleteAdding();
        _thread.Join();
        _starts.Dispose();
    }

    private void Run()
    {
        foreach (var start in _starts.GetConsumingEnumerable())
            start();
    }
}
