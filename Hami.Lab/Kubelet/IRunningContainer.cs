namespace Hami.Lab.Kubelet;

/// <summary>A container between its start and its end.</summary>
internal interface IRunningContainer
{
    /// <summary>Where its output goes; there may be none.</summary>
    string LogFile { get; }

    /// <summary>The exit code, as a shell would give it: 128 + signal for a process that was killed.</summary>
    Task<int> Exited { get; }

    /// <summary>Runs another command with the same environment, as CRI's ExecSync would.</summary>
    Task<ContainerRun> Exec(Launcher launcher, IReadOnlyList<string> command, CancellationToken cancellationToken);

    void Signal(int signal);
}
