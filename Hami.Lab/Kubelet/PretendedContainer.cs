namespace Hami.Lab.Kubelet;

/// <summary>A container without a process: it runs from its start until it is signalled, and every command in it succeeds and says nothing.</summary>
internal sealed class PretendedContainer : IRunningContainer
{
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string LogFile => "";

    public Task<int> Exited => _exited.Task;

    public Task<ContainerRun> Exec(Launcher launcher, IReadOnlyList<string> command, CancellationToken cancellationToken) =>
        Task.FromResult(new ContainerRun(ExitCode: 0, Output: "", Errors: ""));

    public void Signal(int signal) => _exited.TrySetResult(128 + signal);
}
