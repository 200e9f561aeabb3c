using Grpc.Core;
using Hami.Lab.Kubelet.Lifecycle;
using Hami.Lab.Kubelet.Volumes;
using k8s.Models;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet;

/// <content>Its containers: started, attended, stopped.</content>
internal sealed partial class PodWorker
{
    private static readonly TimeSpan PreStartDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LeastGrace = TimeSpan.FromSeconds(2);

    // A kubelet makes a pod's containers one after another, in their order.
    private readonly SemaphoreSlim _oneAtATime = new(1, 1);

    // Runs a container again and again as its policy says; returns the exit code it stays with.
    private async Task<int> Keep(ContainerState container, string? policy, TaskCompletionSource? started = null)
    {
        var backOff = new RestartBackOff(_kubelet.Options.Time);
        while (true)
        {
            if (container.Ended is { } ended)
            {
                if (policy == "Never" || (policy == "OnFailure" && ended.ExitCode == 0))
                    return ended.ExitCode;
                var wait = backOff.Next(ended.StartedAt, ended.FinishedAt);
                container.EndedBefore = ended;
                container.Ended = null;
                if (wait > TimeSpan.Zero)
                {
                    container.Waiting = ("CrashLoopBackOff",
                        $"back-off {GoDuration.Of(backOff.Current)} restarting failed container={container.Container.Name} pod={Pod.Metadata.Name}_{Pod.Metadata.NamespaceProperty}({Uid})");
                    _kubelet.Events.Warning(Pod, container, "BackOff",
                        $"Back-off restarting failed container {container.Container.Name} in pod {Pod.Metadata.Name}_{Pod.Metadata.NamespaceProperty}({Uid})");
                    _status.Changed();
                    await Task.Delay(wait, _kubelet.Options.Time, _noMoreStarts.Token);
                }
                container.Restarts++;
            }
            await StartUntilItRuns(container);
            if (container.Process is { } process)
                await Attend(container, process, started);
            _noMoreStarts.Token.ThrowIfCancellationRequested();
        }
    }

    // From a container's start to its end: its hook, its probes.
    private async Task Attend(ContainerState container, IRunningContainer process, TaskCompletionSource? started)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_noMoreStarts.Token);
        container.ClockBefore = container.Clock;
        container.Clock = process.LogFile.Length > 0 ? new(process.LogFile, _kubelet.Options.Time) : null;
        var watched = Task.WhenAll(container.Clock?.Run(ended.Token) ?? Task.CompletedTask, Watch(container, process, started, ended.Token));
        try
        {
            Exited(container, await process.Exited.WaitAsync(_noMoreStarts.Token));
        }
        finally
        {
            await ended.CancelAsync();
            await watched.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task Watch(ContainerState container, IRunningContainer process, TaskCompletionSource? started, CancellationToken ended)
    {
        if (container.Container.Lifecycle?.PostStart is { } hook
            && await Hooks.Run(hook, container, process, _kubelet.Handlers, _kubelet.Options.Time, ended) is { Succeeded: false } failed)
        {
            _kubelet.Events.Warning(Pod, container, "FailedPostStartHook", $"PostStartHook failed: {failed.Said}");
            _ = Terminate(container, process, Grace, "FailedPostStartHook");
            return;
        }
        await new Probes(
            container,
            process,
            _kubelet.Handlers,
            new(
                () =>
                {
                    if (container.HasStarted)
                        started?.TrySetResult();
                    _status.Changed();
                },
                (kind, said) => _kubelet.Events.Warning(Pod, container, "Unhealthy", $"{kind} probe failed: {said}"),
                (kind, probe) => _ = Terminate(
                    container,
                    process,
                    probe.TerminationGracePeriodSeconds is { } seconds ? GraceOf(seconds) : Grace,
                    $"Container {container.Container.Name} failed {kind} probe, will be restarted")),
            _kubelet.Options.Time).Run(ended);
    }

    // Returns when the container runs, or has Ended because its command cannot be started at all.
    private async Task StartUntilItRuns(ContainerState container)
    {
        while (true)
        {
            await _oneAtATime.WaitAsync(_noMoreStarts.Token);
            try
            {
                var grants = _kubelet.Ledger.Of(Uid, container.Container.Name);
                foreach (var grant in grants)
                    await PreStart(grant);
                var plan = _kubelet.Options.PretendsContainers ? null : await Plan(container, grants);
                _noMoreStarts.Token.ThrowIfCancellationRequested();
                if (plan is not null)
                {
                    _kubelet.Events.Normal(Pod, container, "Pulled", $"Container image \"{container.Container.Image}\" already present on machine");
                    _kubelet.Events.Normal(Pod, container, "Created", $"Created container: {container.Container.Name}");
                }
                container.StartedAt = Now;
                container.HasStarted = container.IsReadyByProbe = false;
                container.Id = $"process://{Guid.NewGuid():N}";
                container.Process = plan is null
                    ? new PretendedContainer()
                    : await ContainerProcess.Start(_kubelet.Launcher, plan, LogFile(container, previous: false), _kubelet.Paths.PidFile(Uid, container.Container.Name));
                _kubelet.Events.Normal(Pod, container, "Started", $"Started container {container.Container.Name}");
                _status.Changed();
                return;
            }
            catch (ContainerStartException e)
            {
                _kubelet.Events.Warning(Pod, container, "Failed", $"Error: {e.Message}");
                DoesNotStart(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, container.Container.Name, e.Message);
                container.Ended = new()
                {
                    ExitCode = 128,
                    Reason = "StartError",
                    Message = e.Message,
                    StartedAt = Now.UtcDateTime,
                    FinishedAt = Now.UtcDateTime,
                    ContainerID = container.Id,
                };
                _status.Changed();
                return;
            }
            catch (Exception e) when (!_noMoreStarts.IsCancellationRequested)
            {
                _kubelet.Events.Warning(Pod, container, "Failed", $"Error: {e.Message}");
                DoesNotStart(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, container.Container.Name, e.Message);
                container.Waiting = (e is ContainerConfigException or SourceException ? "CreateContainerConfigError" : "CreateContainerError", e.Message);
                _status.Changed();
            }
            finally
            {
                _oneAtATime.Release();
            }
            await Task.Delay(_kubelet.Options.StartRetry, _kubelet.Options.Time, _noMoreStarts.Token);
        }
    }

    private async Task<LaunchPlan> Plan(ContainerState container, IReadOnlyList<DeviceGrant> grants)
    {
        var run = _kubelet.Paths.Run(Uid);
        Directory.CreateDirectory(run);
        var belongings = new PodBelongings(_volumes!, await _kubelet.Sources.OfEnvironment(Pod, container.Container, _noMoreStarts.Token))
        {
            TerminationLog = TerminationLog(container),
        };
        return ContainerEnvironment.Plan(Pod, container.Container, [.. grants.Select(g => g.Answer)], _kubelet.Node, run, belongings);
    }

    private Mount TerminationLog(ContainerState container)
    {
        var file = _kubelet.Paths.TerminationLog(Uid, container.Container.Name, container.Restarts);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, "");
        return new() { ContainerPath = container.Container.TerminationMessagePath ?? TerminationMessage.DefaultPath, HostPath = file };
    }

    private async Task PreStart(DeviceGrant grant)
    {
        var endpoint = _kubelet.Plugins.Endpoint(grant.Resource)
            ?? throw new ContainerConfigException($"endpoint not found in cache for a registered resource: {grant.Resource}");
        if (!endpoint.Options.PreStartRequired)
            return;
        try
        {
            await endpoint.Client.PreStartContainerAsync(
                new() { DevicesIds = { grant.DeviceIds } },
                deadline: _kubelet.Options.Time.GetUtcNow().Add(PreStartDeadline).UtcDateTime,
                cancellationToken: _noMoreStarts.Token);
        }
        catch (RpcException e) when (!_noMoreStarts.IsCancellationRequested)
        {
            throw new ContainerConfigException($"device plugin PreStartContainer rpc failed with err: {Words.Of(e)}", e);
        }
        catch (RpcException e)
        {
            throw new OperationCanceledException("The pod ends.", e, _noMoreStarts.Token);
        }
        catch (ObjectDisposedException e)
        {
            throw new ContainerConfigException($"The plugin for {grant.Resource} went away before the container could be started.", e);
        }
    }

    private void Exited(ContainerState container, int exitCode)
    {
        // In this order: a report in between must not find neither.
        container.Ended = new()
        {
            ExitCode = exitCode,
            Reason = exitCode == 0 ? "Completed" : "Error",
            Message = TerminationMessage.Read(
                container.Container, _kubelet.Paths.TerminationLog(Uid, container.Container.Name, container.Restarts), LogFile(container, previous: false), exitCode),
            StartedAt = container.StartedAt.UtcDateTime,
            FinishedAt = Now.UtcDateTime,
            ContainerID = container.Id,
        };
        container.Process = null;
        container.HasStarted = container.IsReadyByProbe = false;
        File.Delete(_kubelet.Paths.PidFile(Uid, container.Container.Name));
        _status.Changed();
    }

    // Sidecars last and in the opposite order of their start; all of them within one grace.
    private async Task StopAll(TimeSpan grace)
    {
        var until = Now + grace;
        await Task.WhenAll(_containers.Where(c => !c.IsSidecar).Select(c => Stop(c, grace)));
        foreach (var sidecar in _containers.Where(c => c.IsSidecar).Reverse())
            await Stop(sidecar, grace > TimeSpan.Zero && until > Now ? until - Now : TimeSpan.Zero);
    }

    private async Task Stop(ContainerState container, TimeSpan grace)
    {
        if (container.Process is not { } process)
            return;
        await Terminate(container, process, grace, $"Stopping container {container.Container.Name}");
        if (container.Process == process)
            Exited(container, await process.Exited);
    }

    // Asks, waits as long as it may, and kills; returns when the process is gone.
    private async Task Terminate(ContainerState container, IRunningContainer process, TimeSpan grace, string why)
    {
        _kubelet.Events.Normal(Pod, container, "Killing", why);
        var until = Now + grace;
        if (container.Container.Lifecycle?.PreStop is { } hook && grace > TimeSpan.Zero)
        {
            await PreStop(hook, container, process, grace);
            // A hook that took it all leaves a little for the signal, as a real kubelet does.
            if (until - Now < LeastGrace)
                until = Now + LeastGrace;
        }
        process.Signal(ProcessGroup.Terminate);
        if (grace > TimeSpan.Zero)
            await Task.WhenAny(process.Exited, Task.Delay(until > Now ? until - Now : TimeSpan.Zero, _kubelet.Options.Time, _hurry.Token));
        process.Signal(ProcessGroup.Kill);
        await process.Exited;
    }

    private async Task PreStop(V1LifecycleHandler hook, ContainerState container, IRunningContainer process, TimeSpan grace)
    {
        using var enough = new CancellationTokenSource(grace, _kubelet.Options.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(enough.Token, _hurry.Token);
        try
        {
            if (await Hooks.Run(hook, container, process, _kubelet.Handlers, _kubelet.Options.Time, both.Token) is { Succeeded: false } failed)
                _kubelet.Events.Warning(Pod, container, "FailedPreStopHook", $"PreStopHook failed: {failed.Said}");
        }
        catch (OperationCanceledException)
        {
            _kubelet.Events.Warning(Pod, container, "FailedPreStopHook", "PreStopHook failed: it did not end within the pod's grace period");
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod}/{Container} does not start: {Sentence}")]
    private static partial void DoesNotStart(ILogger logger, string @namespace, string pod, string container, string sentence);
}
