using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Partitioning;

/// <summary>Makes, adopts and destroys instances, one call at a time, writing down each before it exists.</summary>
internal sealed partial class Partitioner(IMigCards cards, IMigBook book, ILogger<Partitioner> log)
{
    // What was said of a card or an instance last: it is asked every few seconds.
    private readonly Dictionary<object, string> said = [];

    /// <summary>Makes the instances of one container, in order; those that are there stay.</summary>
    /// <exception cref="MigRefusal">One cannot be had; what this call had made is gone again.</exception>
    public IReadOnlyList<MadeInstance> Make(MigPod pod, string container)
    {
        if (pod.Conflict(container) is { } conflict)
            throw new MigRefusal(conflict);
        var begun = new Stack<MigSeat>();
        try
        {
            return [.. pod.Reservations.Where(r => r.Container == container).Select(r => Have(pod, pod.SeatOf(r), begun)).ToList()];
        }
        catch (Exception e) when (e is MigRefusal || Passes(e))
        {
            while (begun.TryPop(out var seat))
                Undo(pod, seat);
            throw e as MigRefusal ?? new MigRefusal($"The MIG instance of container {container} of pod {pod.FullName} could not be made: {e.Message}; see to the card and the node, then create the pod again.", cause: e);
        }
    }

    /// <summary>Brings one card and our entries for it in order: see <see cref="Settlement"/>.</summary>
    /// <returns>False when something has to be tried again.</returns>
    public bool Settle(string card, IReadOnlyList<MigPod> pods, IReadOnlySet<string> gone)
    {
        IReadOnlyList<MigStep> steps;
        try
        {
            steps = Settlement.Decide(cards.Instances(card), [.. book.Made.Where(m => m.Seat.Card == card)], pods, gone);
        }
        catch (NvmlException e)
        {
            if (IsNews(card, e.Message))
                LogUnknown(card, e.Message);
            return false;
        }
        said.Remove(card);
        var settled = true;
        foreach (var step in steps)
        {
            try
            {
                settled &= Take(step);
            }
            catch (Exception e) when (Passes(e))
            {
                // The others' turn comes all the same.
                if (IsNews(SeatOf(step), e.Message))
                    LogKept(SeatOf(step), e.Message);
                settled = false;
            }
        }
        return settled;
    }

    private bool Take(MigStep step)
    {
        switch (step)
        {
            case MigStep.Adopt adopt:
                book.Write(adopt.Before is null ? book.Made.Add(adopt.Entry) : book.Made.Replace(adopt.Before, adopt.Entry));
                LogAdopted(adopt.Entry.Uuid, adopt.Entry.Seat, adopt.Entry.Pod);
                return true;
            case MigStep.Forget forget:
                book.Write(book.Made.Remove(forget.Entry));
                LogVanished(forget.Entry.Seat, forget.Entry.Pod);
                return true;
            case MigStep.Destroy destroy:
                Destroy(destroy.Instance, destroy.Entry);
                said.Remove(destroy.Entry.Seat);
                LogDestroyed(destroy.Entry.Uuid, destroy.Entry.Seat, destroy.Why);
                return true;
            case MigStep.Wait wait:
                if (IsNews(wait.Entry.Seat, wait.Why))
                    LogWaits(wait.Entry.Uuid, wait.Entry.Seat, wait.Why);
                return false;
            default:
                throw new ArgumentOutOfRangeException(nameof(step), step, "What is this step?");
        }
    }

    private MadeInstance Have(MigPod pod, MigSeat seat, Stack<MigSeat> begun)
    {
        var there = cards.Instances(seat.Card);
        if (book.Made.FirstOrDefault(m => m.PodUid == pod.Uid && m.Seat.Is(seat)) is { } entry)
        {
            if (Settlement.Find(there, entry) is { } known)
                return Whole(entry, known, begun);
            // Somebody destroyed it, or the card was reset.
            book.Write(book.Made.Remove(entry));
            LogVanished(entry.Seat, entry.Pod);
        }
        if (there.Select(i => Settlement.Named(pod, i)).FirstOrDefault(m => m is not null && m.Seat.Is(seat)) is { } named && book.Made.All(m => Settlement.Find(there, m)?.Id != named.GpuInstance || m.Seat.Card != seat.Card))
        {
            book.Write(book.Made.Add(named));
            LogAdopted(named.Uuid, named.Seat, named.Pod);
            return named;
        }
        if (Obstacle(pod, seat, there) is { } refusal)
            throw refusal;
        return MakeNew(pod, seat, begun);
    }

    private MadeInstance MakeNew(MigPod pod, MigSeat seat, Stack<MigSeat> begun)
    {
        var mode = cards.Mode(seat.Card);
        if (mode.Obstacle is { } obstacle)
            throw new MigRefusal($"Pod {pod.FullName} was given {seat}, but the card {obstacle}; then create the pod again.");
        if (mode.IsOff && !(cards.Enable(seat.Card) && cards.Mode(seat.Card).Current))
            throw new MigRefusal($"Pod {pod.FullName} was given {seat}, but the card could not be put into MIG mode at once: reset it (nvidia-smi --gpu-reset) while nothing uses it, then create the pod again.");
        if (!cards.Places(seat.Card, seat.Profile).Contains(seat.Place))
            throw new MigRefusal($"Pod {pod.FullName} was given {seat}, which NVML does not offer there; see that the node's register annotation is of these cards, then create the pod again.");

        var entry = new MadeInstance(seat, pod.Uid, pod.FullName, pod.OnlyForInits(seat));
        // Nothing is in these slices, so older entries for them tell of nothing; they must not be taken for this one.
        book.Write(book.Made.RemoveAll(m => m.Seat.Overlaps(seat)).Add(entry));
        begun.Push(seat);
        var instance = cards.CreateGpuInstance(seat);
        return Finish(entry, instance);
    }

    private MadeInstance Whole(MadeInstance entry, GpuInstance known, Stack<MigSeat> begun)
    {
        switch (known.Parts)
        {
            case []:
                // This agent was stopped between the two halves, or somebody took the second away.
                begun.Push(entry.Seat);
                return Finish(entry, known.Id);
            case var parts when entry.Uuid is not null && parts.Any(p => p.Id == entry.ComputeInstance && p.Uuid == entry.Uuid):
                return entry;
            case [{ Uuid: not null } only]:
                var told = Settlement.Told(entry, known, only);
                book.Write(book.Made.Replace(entry, told));
                return told;
            default:
                throw new MigRefusal($"Pod {entry.Pod} was given {entry.Seat}, where others have cut compute instances; take them away with nvidia-smi mig -dci, then create the pod again.");
        }
    }

    private MadeInstance Finish(MadeInstance entry, int instance)
    {
        var part = cards.CreateComputeInstance(entry.Seat.Card, instance);
        var made = entry with { GpuInstance = instance, ComputeInstance = part, Uuid = cards.Uuid(entry.Seat.Card, instance, part) };
        book.Write(book.Made.Replace(entry, made));
        LogMade(made.Uuid, made.Seat, made.Pod);
        return made;
    }

    private MigRefusal? Obstacle(MigPod pod, MigSeat seat, IReadOnlyList<GpuInstance> there)
    {
        if (there.FirstOrDefault(i => i.Seat.Overlaps(seat)) is not { } taken)
            return null;
        return book.Made.FirstOrDefault(m => Settlement.Find([taken], m) is not null) is { } ours
            ? new($"Pod {pod.FullName} was given {seat}, but the instance {ours.Uuid} of pod {ours.Pod} is still there; create the pod again once that one is gone.", ours)
            : new($"Pod {pod.FullName} was given {seat}, but {taken.Seat} (GPU instance {taken.Id}) was made by others than this agent; "
                + $"destroy it with nvidia-smi mig once nothing uses it, or take the card out of mode mig, then create the pod again.");
    }

    private void Undo(MigPod pod, MigSeat seat)
    {
        try
        {
            if (book.Made.FirstOrDefault(m => m.PodUid == pod.Uid && m.Seat.Is(seat)) is not { } entry)
                return;
            if (Settlement.Find(cards.Instances(seat.Card), entry) is { } instance)
                Destroy(instance, entry);
            else
                book.Write(book.Made.Remove(entry));
        }
        catch (Exception e) when (Passes(e))
        {
            // It is in the book, and goes when the pod does.
            LogKept(seat, e.Message);
        }
    }

    private void Destroy(GpuInstance instance, MadeInstance entry)
    {
        var card = instance.Seat.Card;
        foreach (var part in instance.Parts.Where(p => entry.ComputeInstance is null || p.Id == entry.ComputeInstance))
            UnlessGone(() => cards.DestroyComputeInstance(card, instance.Id, part.Id));
        UnlessGone(() => cards.DestroyGpuInstance(card, instance.Id));
        book.Write(book.Made.Remove(entry));
    }

    private static void UnlessGone(Action destroy)
    {
        try
        {
            destroy();
        }
        catch (NvmlException e) when (e.Result is NvmlResult.NotFound)
        {
            // As wished.
        }
    }

    private bool IsNews(object about, string what)
    {
        if (said.TryGetValue(about, out var before) && before == what)
            return false;
        said[about] = what;
        return true;
    }

    private static MigSeat SeatOf(MigStep step) => step switch
    {
        MigStep.Adopt adopt => adopt.Entry.Seat,
        MigStep.Forget forget => forget.Entry.Seat,
        MigStep.Destroy destroy => destroy.Entry.Seat,
        MigStep.Wait wait => wait.Entry.Seat,
        _ => throw new ArgumentOutOfRangeException(nameof(step), step, "What is this step?"),
    };

    private static bool Passes(Exception e) => e is NvmlException or IOException or UnauthorizedAccessException;

    [LoggerMessage(LogLevel.Information, "MIG instance {Uuid} made: {Seat}, for pod {Pod}")]
    private partial void LogMade(string? uuid, MigSeat seat, string pod);

    [LoggerMessage(LogLevel.Information, "MIG instance {Uuid} adopted: {Seat}, of pod {Pod}")]
    private partial void LogAdopted(string? uuid, MigSeat seat, string pod);

    [LoggerMessage(LogLevel.Information, "MIG instance {Uuid} destroyed: {Seat}, as {Why}")]
    private partial void LogDestroyed(string? uuid, MigSeat seat, string why);

    [LoggerMessage(LogLevel.Information, "MIG instance {Uuid} stays while a process is on it: {Seat}, though {Why}")]
    private partial void LogWaits(string? uuid, MigSeat seat, string why);

    [LoggerMessage(LogLevel.Warning, "The MIG instance of pod {Pod} is not on its card any more: {Seat}")]
    private partial void LogVanished(MigSeat seat, string pod);

    [LoggerMessage(LogLevel.Warning, "The MIG instance at {Seat} stays as it is for now ({Reason}); it is tried again")]
    private partial void LogKept(MigSeat seat, string reason);

    [LoggerMessage(LogLevel.Warning, "What is cut out of card {Card} cannot be told ({Reason}); nothing is changed there")]
    private partial void LogUnknown(string card, string reason);
}
