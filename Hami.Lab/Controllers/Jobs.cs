using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Runs each Job's pods to their ends, counts them exactly once, and says how it went.</summary>
/// <remarks>
/// A pod carries a finalizer until it is counted, and what is about to be counted stands in the status before the finalizer goes:
/// so a count survives a crash between any two writes and a pod deleted by somebody else.
/// </remarks>
internal sealed class Jobs
{
    public const string Finalizer = "batch.kubernetes.io/job-tracking";
    private const string Source = "job-controller";
    private const int MostAtOnce = 500;
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(200);
    private readonly IKubernetes _kubernetes;
    private readonly Informer<V1Job> _jobs;
    private readonly Informer<V1Pod> _pods;
    private readonly OwnedPods _owned;
    private readonly PodMaking _making;
    private readonly ControllerEvents _events;
    private readonly TimeProvider _time;

    public Jobs(LabControllersOptions options, Informer<V1Job> jobs, Informer<V1Pod> pods, OwnedPods owned, ControllerEvents events)
    {
        (_kubernetes, _jobs, _pods, _owned, _events, _time) = (options.Kubernetes, jobs, pods, owned, events, options.Time);
        _making = new(options.Kubernetes, owned, events, Source);
        Queue = new(options.Time);
        Strays = new(options.Time);
        jobs.OnChange(c =>
        {
            Queue.Add(Informer<V1Job>.Key((c.Now ?? c.Before)!));
            if (c.Now is not null)
                return;
            foreach (var pod in pods.All.Where(p => p.GetController()?.Uid == c.Before!.Uid()))
                Strays.Add(Informer<V1Pod>.Key(pod));
        });
        pods.OnChange(Take);
    }

    public WorkQueue Queue { get; }

    /// <summary>Pods that wait to be counted by a job that may be no more.</summary>
    public WorkQueue Strays { get; }

    public async Task LookAtStray(string key, CancellationToken cancellationToken)
    {
        if (_pods.Find(key) is not { } pod || pod.Metadata.Finalizers?.Contains(Finalizer) is not true)
            return;
        if (pod.GetController() is { Kind: "Job" } owner)
        {
            try
            {
                var job = await _kubernetes.BatchV1.ReadNamespacedJobAsync(owner.Name, pod.Namespace(), cancellationToken: cancellationToken);
                if (job.Uid() == owner.Uid)
                    return;
            }
            catch (HttpOperationException e) when (e.IsNotFound())
            {
                // Nobody will count it.
            }
        }
        await Free([pod], cancellationToken);
    }

    public async Task Look(string key, CancellationToken cancellationToken)
    {
        if (_jobs.Find(key) is not { } cached)
            return;
        if (await _owned.Of(cached.Metadata, cancellationToken) is not { } pods)
        {
            Queue.AddAfter(key, Soon);
            return;
        }
        V1Job job;
        try
        {
            job = await _kubernetes.BatchV1.ReadNamespacedJobAsync(cached.Name(), cached.Namespace(), cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.IsNotFound())
        {
            await Free(pods, cancellationToken);
            return;
        }
        if (job.Uid() != cached.Uid())
            return;
        var now = _time.GetUtcNow();
        if (JobState.IsOver(job))
        {
            await Free(pods.Where(p => p.IsFinished() || p.Metadata.DeletionTimestamp is not null), cancellationToken);
            await Expire(job, now, cancellationToken);
            return;
        }
        await Run(job, new JobState(job, pods, now), cancellationToken);
    }

    private void Take(Change<V1Pod> change)
    {
        foreach (var pod in new[] { change.Before, change.Now }.OfType<V1Pod>())
        {
            var owner = pod.GetController() is { Kind: "Job" } job ? job : null;
            if (owner is not null)
                Queue.Add(Keys.Of(pod.Namespace(), owner.Name));
            if (change.Now is not null && pod.Metadata.Finalizers?.Contains(Finalizer) is true
                && (owner is null || _jobs.Find(Keys.Of(pod.Namespace(), owner.Name))?.Uid() != owner.Uid))
                Strays.Add(Informer<V1Pod>.Key(pod));
        }
    }

    private async Task Run(V1Job job, JobState state, CancellationToken cancellationToken)
    {
        var owner = new Workload("batch/v1", "Job", job.Metadata);
        var key = Informer<V1Job>.Key(job);
        state.Judge();
        Exception? failure = null;
        if (job.Metadata.DeletionTimestamp is null)
        {
            try
            {
                if (state.Surplus.Count > 0)
                    await _making.Delete(owner, state.Surplus, cancellationToken);
                else if (state.Missing > 0 && state.UntilRetry is { } wait && wait > TimeSpan.Zero)
                    Queue.AddAfter(key, wait);
                else if (state.Missing > 0)
                    await _making.Create(owner, state.NewPods(owner, Math.Min(state.Missing, MostAtOnce)), cancellationToken);
            }
            catch (HttpOperationException e) when (e.NamespaceEnds())
            {
                return;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                failure = e;
            }
        }
        var status = state.Status();
        if (KubernetesJson.Serialize(status) != KubernetesJson.Serialize(job.Status))
        {
            var written = KubernetesJson.Deserialize<V1Job>(KubernetesJson.Serialize(job));
            written.Status = status;
            await _kubernetes.BatchV1.ReplaceNamespacedJobStatusAsync(written, job.Name(), job.Namespace(), cancellationToken: cancellationToken);
            foreach (var (type, reason, message) in state.Told)
            {
                if (type is "Warning")
                    _events.Warning(Source, owner.AsReference, reason, message);
                else
                    _events.Normal(Source, owner.AsReference, reason, message);
            }
        }
        // Only what the status now says is about to be counted may lose its finalizer.
        if (await Free(state.Uncounted, cancellationToken))
            Queue.AddAfter(key, Soon);
        if (state.UntilDeadline is { } left)
            Queue.AddAfter(key, left);
        if (failure is not null)
            throw failure;
    }

    private async Task<bool> Free(IEnumerable<V1Pod> pods, CancellationToken cancellationToken)
    {
        var any = false;
        foreach (var pod in pods.Where(p => p.Metadata.Finalizers?.Contains(Finalizer) is true))
        {
            any = true;
            try
            {
                var patch = new { metadata = new Dictionary<string, object>(StringComparer.Ordinal) { ["uid"] = pod.Uid(), ["$deleteFromPrimitiveList/finalizers"] = new[] { Finalizer } } };
                await _kubernetes.CoreV1.PatchNamespacedPodAsync(
                    new V1Patch(KubernetesJson.Serialize(patch), V1Patch.PatchType.StrategicMergePatch), pod.Name(), pod.Namespace(), cancellationToken: cancellationToken);
            }
            catch (HttpOperationException e) when (e.IsGone())
            {
                // Gone, or another pod of that name by now.
            }
        }
        return any;
    }

    // The TTL controller: a job that is over stays for as long as it says.
    private async Task Expire(V1Job job, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (job.Spec.TtlSecondsAfterFinished is not { } seconds || job.Metadata.DeletionTimestamp is not null)
            return;
        var over = job.Status.Conditions.Where(c => c.Type is "Complete" or "Failed").Select(c => c.LastTransitionTime).Max();
        var left = (over?.Instant() ?? now) + TimeSpan.FromSeconds(seconds) - now;
        if (left > TimeSpan.Zero)
        {
            Queue.AddAfter(Informer<V1Job>.Key(job), left);
            return;
        }
        await _kubernetes.BatchV1.DeleteNamespacedJobAsync(
            job.Name(), job.Namespace(), new V1DeleteOptions { PropagationPolicy = "Foreground", Preconditions = new() { Uid = job.Uid() } }, cancellationToken: cancellationToken);
    }
}
