using System.Net;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Allocating;

/// <summary>Writes how far the node has come onto the pod, and does not give up before it is written or the pod is gone.</summary>
/// <remarks>What is not written when this process ends, <see cref="PhaseRecovery"/> finds again.</remarks>
internal sealed partial class PhaseWriter(ApiServerClient api, TimeProvider time, ILogger<PhaseWriter> log) : IHostedService, IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, (string Patch, Task Done)> writing = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource stopping = new();

    /// <summary>All containers have their devices: nothing is left to allocate.</summary>
    public Task Succeeded(PodOnNode pod) => Write(pod, new()
    {
        [HamiKeys.BindPhase] = BindPhases.Success,
        [HamiKeys.DevicesToAllocate] = DeviceList.Encode(pod.Containers.Select(_ => Array.Empty<ListedDevice>())),
    });

    public Task Failed(PodOnNode pod) => Write(pod, new() { [HamiKeys.BindPhase] = BindPhases.Failed });

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => stopping.CancelAsync();

    public void Dispose() => stopping.Dispose();

    // One write for each pod at a time; a later one follows the earlier, the same one joins it.
    private Task Write(PodOnNode pod, Dictionary<string, string?> annotations)
    {
        var patch = MergePatch.Annotations(annotations, pod.Uid);
        lock (gate)
        {
            if (!writing.TryGetValue(pod.Uid, out var last))
                last = ("", Task.CompletedTask);
            if (last.Done.IsCompleted || last.Patch != patch)
                writing[pod.Uid] = last = (patch, Persist(last.Done, pod, patch, annotations[HamiKeys.BindPhase]!));
            return last.Done;
        }
    }

    private async Task Persist(Task before, PodOnNode pod, string patch, string phase)
    {
        await Task.Yield();
        await before;
        for (var n = 0; !stopping.IsCancellationRequested && !await Try(pod, patch, phase); n++)
        {
            try
            {
                await Task.Delay(Outage.BackOff(n, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(30)), time, stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Nothing is kept of a pod that is gone.</summary>
    public void Forget(string podUid)
    {
        lock (gate)
            writing.Remove(podUid);
    }

    private async Task<bool> Try(PodOnNode pod, string patch, string phase)
    {
        try
        {
            await Bounded.Call(TimeSpan.FromSeconds(5), c => api.PatchPodAsync(pod.Namespace, pod.Name, patch, c), stopping.Token);
            LogWritten(pod.FullName, pod.Uid, phase);
            return true;
        }
        catch (ApiServerException e) when (e.Status is HttpStatusCode.NotFound)
        {
            return true;
        }
        catch (ApiServerException e) when (e.Status is HttpStatusCode.Conflict or HttpStatusCode.UnprocessableEntity)
        {
            // The UID in the patch is a precondition: this is another pod of that name, or a mere conflict.
            return await IsGone(pod);
        }
        catch (Exception e) when (Outage.Is(e, stopping.Token))
        {
            LogRetry(pod.FullName, phase, e.Message);
            return false;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return true;
        }
    }

    private async Task<bool> IsGone(PodOnNode pod)
    {
        try
        {
            var now = await Bounded.Call(TimeSpan.FromSeconds(5),
                c => api.ReadPodAsync(pod.Namespace, pod.Name, c), stopping.Token);
            return now.Uid != pod.Uid;
        }
        catch (ApiServerException e) when (e.Status is HttpStatusCode.NotFound)
        {
            return true;
        }
        catch (Exception e) when (Outage.Is(e, stopping.Token) || stopping.IsCancellationRequested)
        {
            return false;
        }
    }

    [LoggerMessage(LogLevel.Information, "Pod {Pod} ({PodUid}) is now {Phase}")]
    private partial void LogWritten(string pod, string podUid, string phase);

    [LoggerMessage(LogLevel.Warning, "Pod {Pod} could not be marked {Phase} ({Reason}); trying again")]
    private partial void LogRetry(string pod, string phase, string reason);
}
