using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Hami.Lab.Kubelet;

/// <summary>A container's command could not be started at all.</summary>
internal sealed class ContainerStartException : Exception
{
    public ContainerStartException(string message) : base(message)
    {
    }

    public ContainerStartException(string message, Exception inner) : base(message, inner)
    {
    }

    public ContainerStartException()
    {
    }
}

/// <summary>A container that runs: one local process and its children.</summary>
internal sealed class ContainerProcess : IRunningContainer
{
    private readonly int _pid;

    private ContainerProcess(Process process, LaunchPlan plan, string logFile)
    {
        _pid = process.Id;
        Plan = plan;
        LogFile = logFile;
        Exited = Wait(process);
    }

    public LaunchPlan Plan { get; }

    public string LogFile { get; }

    public Task<int> Exited { get; }

    /// <summary>Starts the plan's command, writing both of its streams to the log file. Throws <see cref="ContainerStartException"/>.</summary>
    public static async Task<ContainerProcess> Start(Launcher launcher, LaunchPlan plan, string logFile, string pidFile)
    {
        if (Programs.Find(plan.Command[0], plan.Environment["PATH"]) is null)
        {
            var where = plan.Command[0].Contains('/') ? "no such file or directory" : "executable file not found in $PATH";
            throw new ContainerStartException($"failed to start the container: exec: \"{plan.Command[0]}\": {where}");
        }

        Directory.CreateDirectory(Path.GetDirectoryName(logFile)!);
        Directory.CreateDirectory(Path.Combine(plan.WorkingDirectory, "tmp"));
        // The shell only points the streams at the log: no pipe that would break with the kubelet.
        var how = Bare("/bin/sh", plan.WorkingDirectory);
        foreach (var word in (string[])["-c", "exec </dev/null >>\"$0\" 2>&1; exec \"$@\"", logFile, .. ProcessGroup.Wrap(plan, plan.Command)])
            how.ArgumentList.Add(word);
        var process = await Launch(launcher, how);
        var started = new ContainerProcess(process, plan, logFile);
        try
        {
            if (ProcessGroup.StartTime(started._pid) is { } startTime)
                await File.WriteAllTextAsync(pidFile, $"{started._pid} {startTime}");
            return started;
        }
        catch
        {
            started.Signal(ProcessGroup.Kill);
            throw;
        }
    }

    public async Task<ContainerRun> Exec(Launcher launcher, IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var words = ProcessGroup.Wrap(Plan, [.. command.Select(word => ContainerEnvironment.TranslateWithin(word, Plan.Volumes))]).ToList();
        var how = Bare(words[0], Plan.WorkingDirectory);
        how.RedirectStandardOutput = how.RedirectStandardError = how.RedirectStandardInput = true;
        how.StandardOutputEncoding = how.StandardErrorEncoding = Encoding.UTF8;
        foreach (var word in words.Skip(1))
            how.ArgumentList.Add(word);
        using var process = await Launch(launcher, how);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            // What runs inside a container ends with it.
            var ended = process.WaitForExitAsync(cancellationToken);
            if (await Task.WhenAny(ended, Exited) == Exited)
                ProcessGroup.Signal(process.Id, ProcessGroup.Kill);
            await ended;
            // What it left running would outlive the container, in a session of its own.
            ProcessGroup.KillRest(process.Id);
            return new(process.ExitCode, await output, await errors);
        }
        catch (OperationCanceledException)
        {
            ProcessGroup.Signal(process.Id, ProcessGroup.Kill);
            throw;
        }
    }

    public void Signal(int signal)
    {
        if (!Exited.IsCompleted)
            ProcessGroup.Signal(_pid, signal);
    }

    /// <summary>Kills what is recorded in a pid file of an earlier run; true when something was still alive.</summary>
    public static bool KillStale(string pidFile)
    {
        var fields = File.ReadAllText(pidFile).Split(' ');
        File.Delete(pidFile);
        return fields.Length == 2 && int.TryParse(fields[0], out var pid) && long.TryParse(fields[1], out var startTime)
            && ProcessGroup.KillStale(pid, startTime);
    }

    private static ProcessStartInfo Bare(string program, string workingDirectory)
    {
        Directory.CreateDirectory(workingDirectory);
        var how = new ProcessStartInfo(program) { WorkingDirectory = workingDirectory, UseShellExecute = false };
        how.Environment.Clear();
        how.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin";
        return how;
    }

    private static async Task<Process> Launch(Launcher launcher, ProcessStartInfo how)
    {
        try
        {
            return await launcher.Start(how);
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException)
        {
            throw new ContainerStartException($"failed to start the container: {e.Message}", e);
        }
    }

    private static async Task<int> Wait(Process process)
    {
        using (process)
        {
            await process.WaitForExitAsync();
            // When a container's first process ends, the kernel ends the rest of its pid namespace; here we do.
            ProcessGroup.KillRest(process.Id);
            return process.ExitCode;
        }
    }
}
