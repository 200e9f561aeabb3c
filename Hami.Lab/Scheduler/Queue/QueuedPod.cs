using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>A pod that wants a node, from its creation until it has one.</summary>
internal sealed class QueuedPod(V1Pod pod)
{
    public V1Pod Pod { get; private set; } = pod;

    /// <summary>What filters and scores need to know of it, worked out once per version.</summary>
    public PodRecord Record { get; private set; } = new(pod);

    public string Uid => Record.Uid;

    public Standing Standing { get; set; }

    /// <summary>Counts moves, so that an entry left behind in a heap is known to be stale.</summary>
    public long Moves { get; set; }

    /// <summary>Among equals the lower goes first; renewed with every try.</summary>
    public long Order { get; set; }

    public int Refusals { get; set; }

    public int ErrorsInARow { get; set; }

    public DateTimeOffset FailedAt { get; set; }

    public Happenings CuredBy { get; set; }

    /// <summary>What happened while it was being tried.</summary>
    public Happenings Missed { get; set; }

    public DateTimeOffset BackOffEnds => FailedAt + SchedulingQueue.BackOff(ErrorsInARow > 0 ? ErrorsInARow : Refusals);

    public bool IsGated => Pod.Spec.SchedulingGates is { Count: > 0 };

    /// <summary>Takes the newer version; returns what changed.</summary>
    public Happenings Update(V1Pod pod)
    {
        var before = Record;
        Pod = pod;
        Record = new(pod);
        return Changes.Of(before, Record);
    }
}

/// <summary>Where a waiting pod stands.</summary>
internal enum Standing
{
    /// <summary>Held back by its scheduling gates.</summary>
    Gated,
    Ready,
    BackOff,
    BackOffAfterError,

    /// <summary>Refused; waits for something that may help.</summary>
    Parked,
    InFlight,
    Binding,

    /// <summary>Left the queue: it has a node or is gone.</summary>
    Done,
}
