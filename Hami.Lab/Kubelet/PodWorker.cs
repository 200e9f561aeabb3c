using Hami.Lab.Kubelet.Lifecycle;
using Hami.Lab.Kubelet.Volumes;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>What every pod of a kubelet needs from it.</summary>
internal sealed record PodSurroundings(
    LabKubeletOptions Options,
    NodeSurroundings Node,
    KubeletPaths Paths,
    Launcher Launcher,
    ConfigSources Sources,
    PodVolumes Volumes,
    Handlers Handlers,
    Admission Admission,
    NodeGate Gate,
    DevicePlugins Plugins,
    DeviceLedger Ledger,
    Leftovers Leftovers,
    KubeletEvents Events,
    ILogger<PodWorker> Log);

/// <summary>The life of one pod on this node, from its admission to its last word in the API server.</summary>
internal sealed partial class PodWorker : IAsyncDisposable
{
    // A pod whose object is gone has nobody left to wait for.
    private static readonly TimeSpan GraceWithoutObject = TimeSpan.FromSeconds(2);

    private readonly PodSurroundings _kubelet;
    private readonly PodStatusWriter _status;
    private readonly List<ContainerState> _containers;
    private readonly CancellationTokenSource _ending = new();
    private readonly CancellationTokenSource _noMoreStarts = new();
    private readonly CancellationTokenSource _hurry = new();
    private readonly TaskCompletionSource _admitted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DateTimeOffset _since;
    private readonly bool _endedEarlier;
    private readonly Lock _gate = new();
    private Task _deadline = Task.CompletedTask;
    private bool _expired;
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
            BringToEnd(GraceOf(pod.Metadata.DeletionGracePeriodSeconds ?? pod.Spec.TerminationGracePeriodSeconds));
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
        await _deadline.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ending.Dispose();
        _noMoreStarts.Dispose();
        _hurry.Dispose();
        _oneAtATime.Dispose();
    }

    private void BringToEnd(TimeSpan grace)
    {
        lock (_gate)
        {
            var isFirst = !_ending.IsCancellationRequested;
            if (!isFirst && grace >= _grace)
                return;
            _grace = grace;
            // A shorter grace cuts a longer one. The first may meet containers that are stopped already, because the pod had run its time;
            // what it stops itself is over by then.
            _hurry.CancelAfter(isFirst ? grace + LeastGrace : grace);
            if (!isFirst)
                return;
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
        catch (OperationCanceledException) when (_expired && !_ending.IsCancellationRequested)
        {
            await StopForGood("Failed", Grace);
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // Deleted, or the kubelet goes down: the ending below is the same from every step.
        }
        catch (Exception e)
        {
            Broke(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, e);
            _rejection = ("KubeletFailed", $"The kubelet failed to run the pod: {e.Message}");
            await StopForGood("Failed", TimeSpan.Zero);
        }

        if (!_ending.IsCancellationRequested)
        {
            if (!_endedEarlier)
                _status.Changed();
            await Task.Delay(Timeout.InfiniteTimeSpan, _kubelet.Options.Time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        try
        {
            await Leave();
        }
        catch (Exception e)
        {
            Broke(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, e);
        }
    }

    private async Task Live()
    {
        _status.Changed();
        _deadline = Expire();
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
                    await StopForGood("Failed", Grace);
                    return;
                }
            }
            foreach (var container in _containers.Where(c => !c.IsInit && c.Waiting.Reason == "PodInitializing"))
                container.Waiting = ("ContainerCreating", null);
            var exits = await Task.WhenAll(_containers.Where(c => !c.IsInit).Select(c => Keep(c, Pod.Spec.RestartPolicy)));
            await StopForGood(exits.All(e => e == 0) ? "Succeeded" : "Failed", Grace);
        }
        finally
        {
            await Task.WhenAll(sidecars).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private TimeSpan Grace => GraceOf(Pod.Spec.TerminationGracePeriodSeconds);

    // No timer of ours goes beyond 49 days.
    private static TimeSpan GraceOf(long? seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds ?? 30, 0, 30 * 24 * 3600));

    private async Task Expire()
    {
        if (Pod.Spec.ActiveDeadlineSeconds is not { } seconds)
            return;
        var since = Pod.Status?.StartTime is { } start ? new DateTimeOffset(start.ToUniversalTime()) : _since;
        var left = since + TimeSpan.FromSeconds(seconds) - Now;
        await Task.Delay(left > TimeSpan.Zero ? left : TimeSpan.Zero, _kubelet.Options.Time, _noMoreStarts.Token);
        _expired = true;
        _rejection = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
        _kubelet.Events.Normal(Pod, null, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
        await _noMoreStarts.CancelAsync();
    }

    private async Task<IReadOnlyDictionary<string, string>> MakeVolumes()
    {
        if (_kubelet.Options.PretendsContainers)
            return PodBelongings.None.Volumes;
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
    private async Task StopForGood(string phase, TimeSpan grace)
    {
        await _noMoreStarts.CancelAsync();
        await StopAll(grace);
        End(phase);
    }

    private async Task Leave()
    {
        await StopAll(_grace);
        if (_abandoned)
            return;
        if (_finalPhase is null)
            End(_containers.Where(c => !c.IsInit).All(c => c.Succeeded) ? "Succeeded" : "Failed");
        await _status.DisposeAsync();
        await DeleteObject();
        _kubelet.Leftovers.Delete(Uid);
    }

    private async Task DeleteObject()
    {
        while (!_objectGone && !_abandoned)
        {
            if (!_endedEarlier)
                await _status.Write();
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
            catch (Exception e)
            {
                NotDeleted(_kubelet.Log, Pod.Metadata.NamespaceProperty, Pod.Metadata.Name, e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), _kubelet.Options.Time);
            }
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "The object of {Namespace}/{Pod} could not be deleted yet: {Sentence}")]
    private static partial void NotDeleted(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Error, Message = "The kubelet failed with {Namespace}/{Pod}.")]
    private static partial void Broke(ILogger logger, string @namespace, string pod, Exception exception);
}
