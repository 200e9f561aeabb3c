namespace Hami.NodeAgent.Partitioning;

/// <summary>What is to be done about an instance, and why.</summary>
internal abstract record MigStep
{
    /// <summary>It is ours: a live pod's annotation names it, or we were stopped before we wrote down all of it.</summary>
    internal sealed record Adopt(MadeInstance? Before, MadeInstance Entry) : MigStep;

    internal sealed record Destroy(GpuInstance Instance, MadeInstance Entry, string Why) : MigStep;

    /// <summary>It is to be destroyed once no process is on it.</summary>
    internal sealed record Wait(GpuInstance Instance, MadeInstance Entry, string Why) : MigStep;

    /// <summary>It is not there any more.</summary>
    internal sealed record Forget(MadeInstance Entry) : MigStep;

    private MigStep()
    {
    }
}

/// <summary>Decides about the instances of one card, each on its own. One that we did not make is nobody's business here.</summary>
internal static class Settlement
{
    /// <param name="there">What is cut out of the card.</param>
    /// <param name="made">Our entries for it.</param>
    /// <param name="pods">The pods known now; a pod that is in neither this nor <paramref name="gone"/> may be new, so it keeps what it has.</param>
    /// <param name="gone">UIDs of pods that are gone for certain.</param>
    public static IReadOnlyList<MigStep> Decide(
        IReadOnlyList<GpuInstance> there, IReadOnlyList<MadeInstance> made, IReadOnlyList<MigPod> pods, IReadOnlySet<string> gone)
    {
        var steps = new List<MigStep>();
        foreach (var entry in made)
        {
            if (Find(there, entry) is not { } instance)
                steps.Add(new MigStep.Forget(entry));
            else if (Released(entry, pods, gone) is { } why)
                steps.Add(instance.InUse ? new MigStep.Wait(instance, entry, why) : new MigStep.Destroy(instance, entry, why));
            else if (entry.Uuid is null && instance.Parts is [{ Uuid: not null } whole])
                steps.Add(new MigStep.Adopt(entry, Told(entry, instance, whole)));
        }
        foreach (var instance in there.Where(i => made.All(m => Find([i], m) is null)))
            foreach (var pod in pods)
                if (Named(pod, instance) is { } entry)
                {
                    steps.Add(new MigStep.Adopt(null, entry));
                    break;
                }
        return steps;
    }

    /// <summary>The instance that an entry tells of; null when that is not there. Another may be in its place.</summary>
    public static GpuInstance? Find(IReadOnlyList<GpuInstance> there, MadeInstance entry) => there.FirstOrDefault(i =>
        i.Seat.Is(entry.Seat)
        && (entry.GpuInstance is null || entry.GpuInstance == i.Id)
        && (entry.Uuid is null || i.Parts.IsEmpty || i.Parts.Any(p => p.Id == entry.ComputeInstance && (p.Uuid is null || p.Uuid == entry.Uuid))));

    /// <summary>Why nobody needs it any more, in a few words; null while somebody does, or may.</summary>
    public static string? Released(MadeInstance entry, IReadOnlyList<MigPod> pods, IReadOnlySet<string> gone)
    {
        if (pods.FirstOrDefault(p => p.Uid == entry.PodUid) is not { } holder)
            return gone.Contains(entry.PodUid) ? $"pod {entry.Pod} is gone" : null;
        if (holder.Over)
            return $"pod {entry.Pod} has ended";
        return entry.OnlyForInits && holder.InitsEnded ? $"the init containers of pod {entry.Pod} have ended" : null;
    }

    /// <summary>The entry of an instance that a live pod's annotation names with all it has; null when the pod's does not.</summary>
    public static MadeInstance? Named(MigPod pod, GpuInstance instance)
    {
        if (pod.Over || !pod.Trusted)
            return null;
        foreach (var reservation in pod.Reservations)
        {
            var record = reservation.Record;
            if (reservation.EndsBeforeApps && pod.InitsEnded && pod.OnlyForInits(pod.SeatOf(reservation)))
                continue;
            if (record.MigUuid is not null && record.GpuInstanceId == instance.Id && pod.SeatOf(reservation).Is(instance.Seat)
                && instance.Parts.FirstOrDefault(p => p.Id == record.ComputeInstanceId && p.Uuid == record.MigUuid) is { } part)
                return Told(new(instance.Seat, pod.Uid, pod.FullName, pod.OnlyForInits(instance.Seat)), instance, part);
        }
        return null;
    }

    public static MadeInstance Told(MadeInstance entry, GpuInstance instance, ComputeInstance part) =>
        entry with { GpuInstance = instance.Id, ComputeInstance = part.Id, Uuid = part.Uuid };
}
