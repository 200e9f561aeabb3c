using System.Globalization;
using k8s;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>One look at a Job and its pods: what to count, what to make, what to give up, and whether it is over. Pure; the controller acts on it.</summary>
internal sealed class JobState
{
    private const string IndexAnnotation = "batch.kubernetes.io/job-completion-index";
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMinutes(10);
    private readonly V1Job _job;
    private readonly DateTimeOffset _now;
    private readonly List<V1Pod> _pods;
    private readonly List<V1JobCondition> _conditions;
    private readonly HashSet<string> _uncountedSucceeded;
    private readonly HashSet<string> _uncountedFailed;
    private readonly SortedSet<int> _indexesDone = [];
    private int _succeeded;
    private int _failed;
    private DateTime? _started;
    private DateTime? _completed;

    public JobState(V1Job job, List<V1Pod> pods, DateTimeOffset now)
    {
        (_job, _pods, _now) = (job, pods, now);
        _conditions = [.. job.Status?.Conditions ?? []];
        _started = job.Status?.StartTime;
        (_succeeded, _failed) = (job.Status?.Succeeded ?? 0, job.Status?.Failed ?? 0);
        _uncountedSucceeded = [.. job.Status?.UncountedTerminatedPods?.Succeeded ?? []];
        _uncountedFailed = [.. job.Status?.UncountedTerminatedPods?.Failed ?? []];
        foreach (var index in Indexes(job.Status?.CompletedIndexes))
            _indexesDone.Add(index);
        Count();
    }

    /// <summary>Pods that are in the status as about to be counted, and may lose their finalizer once that is written.</summary>
    public List<V1Pod> Uncounted => _pods.Where(p => _uncountedSucceeded.Contains(p.Uid()) || _uncountedFailed.Contains(p.Uid())).ToList();

    public List<V1Pod> Surplus { get; private set; } = [];

    public int Missing { get; private set; }

    /// <summary>How long to wait before pods that failed are replaced; it doubles with every failure in a row.</summary>
    public TimeSpan? UntilRetry { get; private set; }

    public TimeSpan? UntilDeadline =>
        _started is { } since && _job.Spec.ActiveDeadlineSeconds is { } seconds && !Ends && _job.Spec.Suspend is not true
            ? TimeSpan.FromTicks(Math.Max(0, (since.Instant() + TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue)) - _now).Ticks))
            : null;

    public List<(string Type, string Reason, string Message)> Told { get; } = [];

    private bool Ends => Has("FailureTarget") || Has("SuccessCriteriaMet");

    private bool IsIndexed => _job.Spec.CompletionMode is "Indexed";

    private List<V1Pod> Active => _pods.Where(p => p.IsActive()).ToList();

    private int Terminating => _pods.Count(p => p.Metadata.DeletionTimestamp is not null && !p.IsFinished());

    private int Succeeded => IsIndexed ? _indexesDone.Count : _succeeded + _uncountedSucceeded.Count;

    private int Failed => _failed + _uncountedFailed.Count;

    public static bool IsOver(V1Job job) => job.Status?.Conditions?.Any(c => c.Type is "Complete" or "Failed" && c.Status is "True") is true;

    public void Judge()
    {
        Suspend();
        if (!Ends && _job.Spec.Suspend is not true)
            _started ??= _now.Stamp();
        if (!Ends)
            LookForAnEnd();
        var active = Active;
        if (Ends)
        {
            Surplus = active;
            // Over only when nothing of it runs any more.
            if (active.Count == 0 && Terminating == 0 && Uncounted.Count == 0)
                End();
            return;
        }
        if (_job.Spec.Suspend is true)
        {
            Surplus = active;
            return;
        }
        var parallel = _job.Spec.Parallelism ?? 1;
        var wanted = _job.Spec.Completions is { } completions ? Math.Min(parallel, Math.Max(0, completions - Succeeded)) : Succeeded > 0 ? Math.Min(parallel, active.Count) : parallel;
        if (active.Count > wanted)
        {
            Surplus = active.LeastUsefulFirst().Take(active.Count - wanted).ToList();
        }
        else
        {
            var held = _job.Spec.PodReplacementPolicy is "Failed" ? Terminating : 0;
            Missing = Math.Max(0, wanted - active.Count - held);
            UntilRetry = RetryIn();
        }
    }

    public V1JobStatus Status() => new()
    {
        Active = GoWriting.OrNull(Active.Count),
        Ready = Active.Count(p => p.IsReady()),
        Terminating = Terminating,
        Succeeded = GoWriting.OrNull(_succeeded),
        Failed = GoWriting.OrNull(_failed),
        StartTime = _started,
        CompletionTime = _completed ?? _job.Status?.CompletionTime,
        CompletedIndexes = IsIndexed ? Ranges(_indexesDone) : null,
        UncountedTerminatedPods = new()
        {
            Succeeded = _uncountedSucceeded.Count > 0 ? [.. _uncountedSucceeded] : null,
            Failed = _uncountedFailed.Count > 0 ? [.. _uncountedFailed] : null,
        },
        Conditions = _conditions.Count > 0 ? _conditions : null,
    };

    public List<V1Pod> NewPods(Workload owner, int count)
    {
        if (!IsIndexed)
            return Enumerable.Range(0, count).Select(_ => Made(owner)).ToList();
        var taken = Active.Select(IndexOf).ToHashSet();
        return Enumerable.Range(0, _job.Spec.Completions ?? 0).Where(i => !taken.Contains(i) && !_indexesDone.Contains(i)).Take(count).Select(i => Indexed(Made(owner), owner, i)).ToList();
    }

    private V1Pod Made(Workload owner)
    {
        var pod = owner.PodFrom(_job.Spec.Template);
        pod.Metadata.Finalizers = [.. pod.Metadata.Finalizers ?? [], Jobs.Finalizer];
        return pod;
    }

    private static V1Pod Indexed(V1Pod pod, Workload owner, int index)
    {
        var text = index.ToString(CultureInfo.InvariantCulture);
        pod.Metadata.GenerateName = $"{owner.Metadata.Name}-{text}-";
        pod.Metadata.Annotations = new Dictionary<string, string>(pod.Metadata.Annotations ?? new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal) { [IndexAnnotation] = text };
        pod.Metadata.Labels = new Dictionary<string, string>(pod.Metadata.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal) { [IndexAnnotation] = text };
        pod.Spec = KubernetesJson.Deserialize<V1PodSpec>(KubernetesJson.Serialize(pod.Spec));
        pod.Spec.Hostname ??= $"{owner.Metadata.Name}-{text}";
        foreach (var container in (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers))
        {
            container.Env = [.. container.Env ?? []];
            if (!container.Env.Any(e => e.Name is "JOB_COMPLETION_INDEX"))
                container.Env.Add(new() { Name = "JOB_COMPLETION_INDEX", ValueFrom = new() { FieldRef = new() { FieldPath = $"metadata.labels['{IndexAnnotation}']" } } });
        }
        return pod;
    }

    // First what is free of its finalizer is counted for good, then what has newly ended is written down.
    private void Count()
    {
        var guarded = _pods.Where(p => p.Metadata.Finalizers?.Contains(Jobs.Finalizer) is true).Select(p => p.Uid()).ToHashSet(StringComparer.Ordinal);
        _succeeded += _uncountedSucceeded.RemoveWhere(u => !guarded.Contains(u));
        _failed += _uncountedFailed.RemoveWhere(u => !guarded.Contains(u));
        foreach (var pod in _pods.Where(p => guarded.Contains(p.Uid())))
        {
            if (pod.Status?.Phase is "Succeeded")
            {
                // A second success of the same index counts once.
                if (!IsIndexed || (IndexOf(pod) is var index and >= 0 && index < _job.Spec.Completions && _indexesDone.Add(index)) || _uncountedSucceeded.Contains(pod.Uid()))
                    _uncountedSucceeded.Add(pod.Uid());
            }
            else if (pod.Status?.Phase is "Failed" || (pod.Metadata.DeletionTimestamp is not null && _job.Spec.PodReplacementPolicy is not "Failed"))
            {
                _uncountedFailed.Add(pod.Uid());
            }
        }
    }

    private void Suspend()
    {
        var suspended = Has("Suspended");
        if (_job.Spec.Suspend is true && !Ends)
        {
            if (suspended)
                return;
            Set("Suspended", "True", "JobSuspended", "Job suspended");
            Told.Add(("Normal", "Suspended", "Job suspended"));
            _started = null;
        }
        else if (suspended)
        {
            Set("Suspended", "False", "JobResumed", "Job resumed");
            Told.Add(("Normal", "Resumed", "Job resumed"));
            _started = _now.Stamp();
        }
    }

    private void LookForAnEnd()
    {
        var limit = _job.Spec.BackoffLimit ?? 6;
        var restarts = _job.Spec.Template.Spec.RestartPolicy is "OnFailure"
            ? _pods.Where(p => p.Status?.Phase is "Running" or "Pending")
                .Sum(p => (p.Status.InitContainerStatuses ?? []).Concat(p.Status.ContainerStatuses ?? []).Sum(c => c.RestartCount))
            : 0;
        // A limit of zero allows no restart at all.
        if (Failed > limit || (restarts > 0 && restarts >= limit))
            Set("FailureTarget", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        else if (_job.Spec.Suspend is not true && UntilDeadline == TimeSpan.Zero)
            Set("FailureTarget", "True", "DeadlineExceeded", "Job was active longer than specified deadline");
        else if (_job.Spec.Completions is { } completions ? Succeeded >= completions : Succeeded > 0 && Active.Count == 0)
            Set("SuccessCriteriaMet", "True", "CompletionsReached", "Reached expected number of succeeded pods");
    }

    private void End()
    {
        var why = _conditions.First(c => c.Type is "FailureTarget" or "SuccessCriteriaMet" && c.Status is "True");
        if (why.Type is "FailureTarget")
        {
            Set("Failed", "True", why.Reason, why.Message);
            Told.Add(("Warning", why.Reason, why.Message));
            return;
        }
        Set("Complete", "True", why.Reason, why.Message);
        Told.Add(("Normal", "Completed", "Job completed"));
        _completed = _now.Stamp();
    }

    private TimeSpan? RetryIn()
    {
        var ended = _pods.Where(p => p.IsFinished()).Select(p => (Failed: p.Status.Phase is "Failed", At: EndOf(p))).OrderByDescending(e => e.At).ToList();
        var inARow = ended.TakeWhile(e => e.Failed).Count();
        if (inARow == 0)
            return null;
        var delay = FirstRetry * Math.Pow(2, Math.Min(inARow - 1, 10));
        return ended[0].At + (delay < LongestRetry ? delay : LongestRetry) - _now;
    }

    private static DateTimeOffset EndOf(V1Pod pod) =>
        ((pod.Status.ContainerStatuses ?? []).Select(c => c.State?.Terminated?.FinishedAt).Max()
            ?? pod.ReadyCondition()?.LastTransitionTime ?? pod.Status.StartTime ?? pod.Metadata.CreationTimestamp ?? default).Instant();

    private bool Has(string type) => _conditions.Exists(c => c.Type == type && c.Status is "True");

    private void Set(string type, string status, string reason, string message)
    {
        _conditions.RemoveAll(c => c.Type == type);
        _conditions.Add(new() { Type = type, Status = status, Reason = reason, Message = message, LastProbeTime = _now.Stamp(), LastTransitionTime = _now.Stamp() });
    }

    private static int IndexOf(V1Pod pod) =>
        pod.Metadata.Annotations?.TryGetValue(IndexAnnotation, out var text) is true && int.TryParse(text, out var index) ? index : -1;

    private static IEnumerable<int> Indexes(string? ranges) => (ranges ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).SelectMany(r =>
    {
        var ends = r.Split('-').Select(e => int.Parse(e, CultureInfo.InvariantCulture)).ToArray();
        return Enumerable.Range(ends[0], ends[^1] - ends[0] + 1);
    });

    // "0-2,5": two in a row are listed, three make a range.
    private static string? Ranges(SortedSet<int> indexes)
    {
        var parts = new List<string>();
        foreach (var run in indexes.Select((value, at) => (value, at)).GroupBy(p => p.value - p.at, p => p.value))
            parts.Add(run.Count() > 2 ? $"{run.First()}-{run.Last()}" : string.Join(',', run));
        return parts.Count > 0 ? string.Join(',', parts) : null;
    }
}
