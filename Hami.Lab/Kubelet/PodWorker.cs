using Hami.Lab.Kubelet.Volumes;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Grpc.Core;

namespace Hami.Lab.Kubelet;

/// <summary>What every pod of a kubelet needs from it.</summary>
internal sealed record PodSurroundings(
    LabKubeletOptions Options,
    NodeSurroundings Node,
    KubeletPaths Paths,
    Launcher Launcher,
    ConfigSources Sources,
    PodVolumes Volumes,
    Admission Admission,
    NodeGate Gate,
    DevicePlugins Plugins,
    DeviceLedger Ledger,
    KubeletEvents Events,
    ILogger<PodWorker> Log);

/// <summary>The life of one pod on this node, from its admission to its last word in the API server.</summary>
internal sealed partial class PodWorker : IAsyncDisposable
{
    private static readonly TimeSpan PreStartDeadline = TimeSpan.FromSeconds(30);

    // A pod whose object is gone has nobody left to wait for.
    private static readonly TimeSpan GraceWithoutObject = TimeSpan.FromSeconds(2);

    private readonly PodSurroundings _kubelet;
    private readonly PodStatusWriter _status;
    private readonly List<ContainerState> _containers;
    private readonly CancellationTokenSource _ending = new();
    private readonly CancellationTokenSource _noMoreStarts = new();
    private readonly CancellationTokenSource _hurry = new();

    // A kubelet makes a pod's containers one after another, in their order.
    private readonly SemaphoreSlim _oneAtATime = new(1, 1);
    private readonly TaskCompletionSource _admitted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DateTimeOffset _since;
    private readonly bool _endedEarlier;
    private readonly Lock _gate = new();
    private TimeSpan _grace;
    private bool _objectGone;
    private bool _abandoned;
    private (string Reason, string Message)? _rejection;
    private string? _finalPhase;
    private IReadOnlyDictionary<string, string>? _volumes;
    private Task _life = Task.CompletedTask;

    public PodWorker(V1Pod pod, long turn, PodSurroundings kubelet)
    {
        _kubelet = kubelet;
        Pod = pod;
        Turn = turn;
        _since = Now;
        _containers =
        [
            .. (pod.Spec.InitContainers ?? []).Select(c => new ContainerState(c, isInit: true)),
            .. pod.Spec.Containers.Select(c => new ContainerState(c, isInit: false)),
        ];
        _status = new(kubelet.Options.Kubernetes, kubelet.Options.Time, kubelet.Log, () => Pod, Report);
        _endedEarlier = pod.Status?.Phase is "Succeeded" or "Failed";
        if (_endedEarlier)
            _finalPhase = pod.Status!.Phase;
        foreach (var status in (pod.Status?.InitContainerStatuses ?? []).Concat(pod.Status?.ContainerStatuses ?? []))
            _containers.Find(c => c.Container.Name == status.Name)?.Restore(status, Now);
    }

    /// <summary>The pod as last seen in the API server.</summary>
    public V1Pod Pod { get; private set; }

    /// <summary>Its place in the order of binds.</summary>
    public long Turn { get; }

    /// <summary>Whether it is being admitted or runs: such a pod may hold devices.</summary>
    public bool IsActive { get; private set; }

    /// <summary>Completes when the pod has left this node.</summary>
    public Task Left => _life;

    private string Uid => Pod.Metadata.Uid;

    private DateTimeOffset Now => _kubelet.Options.Time.GetUtcNow();

    public void Start()
    {
        if (_endedEarlier)
            _kubelet.Ledger.Release(Uid);
        _life = Task.Run(LiveAndReport, CancellationToken.None);
    }

    /// <summary>Takes the pod's devices; called for one pod of the node at a time.</summary>
    public async Task Admit(CancellationToken cancellationToken)
    {
        try
        {
            if (_finalPhase is not null || _ending.IsCancellationRequested)
                return;
            IsActive = true;
            await _kubelet.Admission.Admit(Asking.Of(Pod), cancellationToken);
            // After the devices, as a real kubelet has it.
            await _kubelet.Gate.Check(this, cancellationToken);
        }
        catch (AdmissionException e)
        {
            IsRejected(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, e.Message);
            _rejection = (e.Reason, $"Pod was rejected: {e.Message}");
            _kubelet.Events.Warning(Pod, null, e.Reason, e.Message);
            End("Failed");
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            Broke(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, e);
            _rejection = ("UnexpectedAdmissionError", $"Pod was rejected: the kubelet could not admit it: {e.Message}");
            _kubelet.Events.Warning(Pod, null, "UnexpectedAdmissionError", e.Message);
            End("Failed");
        }
        finally
        {
            _admitted.TrySetResult();
        }
    }

    /// <summary>Takes in a newer version of the pod; one that is being deleted is brought to its end.</summary>
    public void Update(V1Pod pod)
    {
        Pod = pod;
        if (pod.Metadata.DeletionTimestamp is not null)
            BringToEnd(TimeSpan.FromSeconds(pod.Metadata.DeletionGracePeriodSeconds ?? pod.Spec.TerminationGracePeriodSeconds ?? 30));
    }

    /// <summary>The pod's object is gone, forced perhaps: nothing is left to report to.</summary>
    public void ObjectGone()
    {
        _objectGone = true;
        BringToEnd(GraceWithoutObject);
    }

    /// <summary>The container's state, null when the pod has none of that name.</summary>
    public ContainerState? Container(string name) => _containers.Find(c => c.Container.Name == name);

    /// <summary>Frees what was given to it a moment ago.</summary>
    public void GiveBack() => _kubelet.Ledger.Release(Uid);

    public string LogFile(ContainerState container, bool previous) => _kubelet.Paths.Log(
        Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, Uid, container.Container.Name, container.Restarts - (previous ? 1 : 0));

    /// <summary>Stops the processes and says nothing about it: the kubelet itself is going down.</summary>
    public async ValueTask DisposeAsync()
    {
        _abandoned = true;
        await _status.DisposeAsync();
        BringToEnd(TimeSpan.Zero);
        _admitted.TrySetResult();
        await _life.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ending.Dispose();
        _noMoreStarts.Dispose();
        _hurry.Dispose();
        _oneAtATime.Dispose();
    }

    private void BringToEnd(TimeSpan grace)
    {
        lock (_gate)
        {
            if (_ending.IsCancellationRequested)
            {
                // Already ending: a shorter grace cuts the longer one.
                if (grace < _grace)
                    _hurry.CancelAfter(grace);
                return;
            }
            _grace = grace;
        }
        // In this order: who stops because of the second looks at the first.
        _ending.Cancel();
        _noMoreStarts.Cancel();
    }

    private void End(string phase)
    {
        _finalPhase = phase;
        // Ids are free once the pod is terminal, before its object is gone (recorded).
        IsActive = false;
        _kubelet.Ledger.Release(Uid);
    }

    private async Task LiveAndReport()
    {
        try
        {
            await _admitted.Task;
            if (_finalPhase is null && !_ending.IsCancellationRequested)
                await Live();
        }
        catch (OperationCanceledException) when (_noMoreStarts.IsCancellationRequested)
        {
            // Deleted, or the kubelet goes down: the ending below is the same from every step.
        }
        catch (Exception e)
        {
            Broke(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, e);
            _rejection = ("KubeletFailed", $"The kubelet failed to run the pod: {e.Message}");
            await _noMoreStarts.CancelAsync();
            await StopAll(TimeSpan.Zero);
            End("Failed");
        }

        if (!_ending.IsCancellationRequested)
        {
            if (!_endedEarlier)
                _status.Changed();
            await Task.Delay(Timeout.InfiniteTimeSpan, _kubelet.Options.Time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await Leave();
    }

    private async Task Live()
    {
        _status.Changed();
        _volumes = await MakeVolumes();
        _status.Changed();
        var sidecars = new List<Task>();
        try
        {
            foreach (var init in _containers.Where(c => c.IsInit))
            {
                if (init.IsSidecar)
                {
                    var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    sidecars.Add(Keep(init, "Always", started));
                    await started.Task.WaitAsync(_noMoreStarts.Token);
                }
                else if (!init.Succeeded && await Keep(init, Pod.Spec.RestartPolicy == "Never" ? "Never" : "OnFailure") != 0)
                {
                    await StopForGood("Failed");
                    return;
                }
            }
            foreach (var container in _containers.Where(c => !c.IsInit && c.Waiting.Reason == "PodInitializing"))
                container.Waiting = ("ContainerCreating", null);
            var exits = await Task.WhenAll(_containers.Where(c => !c.IsInit).Select(c => Keep(c, Pod.Spec.RestartPolicy)));
            await StopForGood(exits.All(e => e == 0) ? "Succeeded" : "Failed");
        }
        finally
        {
            await Task.WhenAll(sidecars).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<IReadOnlyDictionary<string, string>> MakeVolumes()
    {
        while (true)
        {
            try
            {
                return await _kubelet.Volumes.Make(Pod, _kubelet.Paths.Run(Uid), _noMoreStarts.Token);
            }
            catch (VolumeException e)
            {
                _kubelet.Events.Warning(Pod, null, "FailedMount", e.Message);
                await Task.Delay(_kubelet.Options.StartRetry, _kubelet.Options.Time, _noMoreStarts.Token);
            }
        }
    }

    // Sidecars outlive the others only as long as it takes to stop them.
    private async Task StopForGood(string phase)
    {
        await _noMoreStarts.CancelAsync();
        await StopAll(TimeSpan.FromSeconds(Pod.Spec.TerminationGracePeriodSeconds ?? 30));
        End(phase);
    }

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
                        $"back-off {wait.TotalSeconds:0}s restarting failed container={container.Container.Name} pod={Pod.Metadata.Name}_{Pod.Metadata.NamespaceProperty}({Uid})");
                    _kubelet.Events.Warning(Pod, container, "BackOff",
                        $"Back-off restarting failed container {container.Container.Name} in pod {Pod.Metadata.Name}_{Pod.Metadata.NamespaceProperty}({Uid})");
                    _status.Changed();
                    await Task.Delay(wait, _kubelet.Options.Time, _noMoreStarts.Token);
                }
                container.Restarts++;
            }
            await StartUntilItRuns(container);
            started?.TrySetResult();
            if (container.Process is { } process)
                Exited(container, await process.Exited.WaitAsync(_noMoreStarts.Token));
            _noMoreStarts.Token.ThrowIfCancellationRequested();
        }
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
                var run = _kubelet.Paths.Run(Uid);
                Directory.CreateDirectory(run);
                var belongings = new PodBelongings(_volumes!, await _kubelet.Sources.OfEnvironment(Pod, container.Container, _noMoreStarts.Token));
                var plan = ContainerEnvironment.Plan(Pod, container.Container, [.. grants.Select(g => g.Answer)], _kubelet.Node, run, belongings);
                _noMoreStarts.Token.ThrowIfCancellationRequested();
                container.StartedAt = Now;
                container.Id = $"process://{Guid.NewGuid():N}";
                container.Process = await ContainerProcess.Start(
                    _kubelet.Launcher, plan, LogFile(container, previous: false), _kubelet.Paths.PidFile(Uid, container.Container.Name));
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
            catch (Exception e) when (e is ContainerConfigException or SourceException)
            {
                _kubelet.Events.Warning(Pod, container, "Failed", $"Error: {e.Message}");
                DoesNotStart(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, container.Container.Name, e.Message);
                container.Waiting = ("CreateContainerConfigError", e.Message);
                _status.Changed();
            }
            finally
            {
                _oneAtATime.Release();
            }
            await Task.Delay(_kubelet.Options.StartRetry, _kubelet.Options.Time, _noMoreStarts.Token);
        }
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
            StartedAt = container.StartedAt.UtcDateTime,
            FinishedAt = Now.UtcDateTime,
            ContainerID = container.Id,
        };
        container.Process = null;
        File.Delete(_kubelet.Paths.PidFile(Uid, container.Container.Name));
        _status.Changed();
    }

    private async Task StopAll(TimeSpan grace)
    {
        var running = _containers.Where(c => c.Process is not null).Select(c => (Container: c, Process: c.Process!)).ToList();
        var exits = Task.WhenAll(running.Select(r => r.Process.Exited));
        foreach (var (container, process) in running)
        {
            _kubelet.Events.Normal(Pod, container, "Killing", $"Stopping container {container.Container.Name}");
            process.Signal(ProcessGroup.Terminate);
        }
        if (grace > TimeSpan.Zero)
            await Task.WhenAny(exits, Task.Delay(grace, _kubelet.Options.Time, _hurry.Token));
        foreach (var (_, process) in running)
            process.Signal(ProcessGroup.Kill);
        await exits;
        foreach (var (container, process) in running.Where(r => r.Container.Process == r.Process))
            Exited(container, await process.Exited);
    }

    private async Task Leave()
    {
        await StopAll(_grace);
        if (_abandoned)
            return;
        if (_finalPhase is null)
            End(_containers.Where(c => !c.IsInit).All(c => c.Succeeded) ? "Succeeded" : "Failed");
        await _status.DisposeAsync();
        if (!_objectGone)
        {
            if (!_endedEarlier)
                await _status.Write();
            await DeleteObject();
        }
        TryDeleteRunDirectory();
    }

    private async Task DeleteObject()
    {
        while (!_objectGone && !_abandoned)
        {
            try
            {
                await _kubelet.Options.Kubernetes.CoreV1.DeleteNamespacedPodAsync(
                    Pod.Metadata.Name,
                    Pod.Metadata.NamespaceProperty,
                    new V1DeleteOptions { GracePeriodSeconds = 0, Preconditions = new() { Uid = Uid } });
                return;
            }
            catch (HttpOperationException e) when (e.Response.StatusCode is System.Net.HttpStatusCode.NotFound or System.Net.HttpStatusCode.Conflict)
            {
                return;
            }
            catch (Exception e) when (e is HttpOperationException or HttpRequestException or OperationCanceledException)
            {
                NotDeleted(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), _kubelet.Options.Time);
            }
        }
    }

    private void TryDeleteRunDirectory()
    {
        try
        {
            var run = _kubelet.Paths.Run(Uid);
            if (Directory.Exists(run))
                Directory.Delete(run, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            NotCleaned(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, e.Message);
        }
    }

    private V1PodStatus Report()
    {
        if (_rejection is { } rejection && _containers.TrueForAll(c => c.Ended is null))
            return PodReport.Rejected(Pod, rejection.Reason, rejection.Message, _since);
        var phase = _finalPhase ?? (_containers.Exists(c => !c.IsInit && (c.Runs || c.Ended is not null || c.EndedBefore is not null)) ? "Running" : "Pending");
        var status = PodReport.Of(Pod, _containers, phase, _kubelet.Node.Address, hasSandbox: _volumes is not null, _since, Now);
        status.Reason = _rejection?.Reason;
        status.Message = _rejection?.Message;
        return status;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod}: {Sentence}")]
    private static partial void IsRejected(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod}/{Container} does not start: {Sentence}")]
    private static partial void DoesNotStart(ILogger logger, string @namespace, string pod, string container, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The object of {Namespace}/{Pod} could not be deleted yet: {Sentence}")]
    private static partial void NotDeleted(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The run directory of {Namespace}/{Pod} stays behind: {Sentence}")]
    private static partial void NotCleaned(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Error, Message = "The kubelet failed with {Namespace}/{Pod}.")]
    private static partial void Broke(ILogger logger, string @namespace, string pod, Exception exception);
}
