using System.Diagnostics;
using Hami.Lab.Kubelet;

namespace Hami.Lab.Cluster;

/// <summary>A long-running program of the lab: its output goes to a log file, and it ends when we do.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    // As long as this process: the parent-death signal follows the thread that forked.
    private static readonly Launcher Launcher = new();
    private static readonly string? Setpriv = Programs.Find("setpriv");
    private readonly Process _process;
    private readonly int _stopSignal;

    private ChildProcess(string name, Process process, int stopSignal)
    {
        Name = name;
        _process = process;
        _stopSignal = stopSignal;
    }

    public string Name { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>Starts a program; its end is watched, its output logged.</summary>
    /// <param name="name">What people call it, in messages.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="log">Gets what the program prints; appended to.</param>
    /// <param name="user">Who runs it, when not us; needs root.</param>
    /// <param name="stopSignal">What asks it to end; also sent by the kernel when we die, where setpriv is there to arrange that.</param>
    /// <param name="environment">Added to ours; null removes a variable.</param>
    public static async Task<ChildProcess> StartAsync(
        string name,
        IReadOnlyList<string> command,
        string log,
        string? user = null,
        int stopSignal = Signals.Terminate,
        IReadOnlyDictionary<string, string?>? environment = null)
    {
        // The shell opens the log before anything drops rights, and the log goes on when nobody is left to pump a pipe.
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = "/" };
        string[] words = ["-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1 </dev/null", "sh", log, .. Prefix(user, stopSignal), .. command];
        foreach (var word in words)
            start.ArgumentList.Add(word);
        foreach (var (key, value) in environment ?? new Dictionary<string, string?>(StringComparer.Ordinal))
            start.Environment[key] = value;
        return new ChildProcess(name, await Launcher.Start(start), stopSignal);
    }

    /// <summary>The words before a command that make another user run it.</summary>
    public static string[] AsUser(string? user) => (user, Setpriv, Programs.Find("runuser")) switch
    {
        (null, _, _) => [],
        (_, { } setpriv, _) => [setpriv, $"--reuid={user}", $"--regid={GroupOf(user)}", "--init-groups", "--"],
        (_, _, { } runuser) => [runuser, "-u", user, "--"],
        _ => throw new InvalidOperationException("Neither setpriv nor runuser is here to drop root's rights; install them with `apt-get install util-linux`."),
    };

    public Task WaitForExitAsync(CancellationToken ct) => _process.WaitForExitAsync(ct);

    /// <summary>Ends it at once, as a crash or the kernel's out-of-memory killer would.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Asks it to end, insists after a while.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        if (_process.HasExited)
            return;
        Signals.Send(Id, _stopSignal);
        using var timeout = new CancellationTokenSource(patience);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.FromSeconds(10));
        _process.Dispose();
    }

    private static string[] Prefix(string? user, int stopSignal) => (user, Setpriv) switch
    {
        (null, { } setpriv) => [setpriv, $"--pdeathsig={Word(stopSignal)}", "--"],
        ({ } name, { } setpriv) => [setpriv, $"--pdeathsig={Word(stopSignal)}", .. AsUser(name)[1..]],
        _ => AsUser(user),
    };

    private static string Word(int signal) => signal switch
    {
        Signals.Interrupt => "INT",
        Signals.Quit => "QUIT",
        Signals.Kill => "KILL",
        _ => "TERM",
    };

    private static string GroupOf(string user) =>
        File.ReadLines("/etc/passwd").Select(line => line.Split(':')).First(fields => fields[0] == user)[3];
}
