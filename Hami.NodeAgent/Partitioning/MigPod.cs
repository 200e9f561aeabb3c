using System.Collections.Immutable;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Partitioning;

/// <summary>An instance that the scheduler reserved for a container.</summary>
/// <param name="EndsBeforeApps">The container is an init container that runs to its end.</param>
/// <param name="Record">As it stands on the pod.</param>
internal sealed record MigReservation(string Container, bool EndsBeforeApps, MigSeat Seat, MigAllocation Record);

/// <summary>A pod of this node as a holder of MIG instances.</summary>
/// <param name="Over">Nothing of it runs, nor will again.</param>
/// <param name="InitsEnded">Its init containers that run to their end have done so, as the scheduler sees it too.</param>
/// <param name="Trusted">The scheduler wrote its reservations.</param>
/// <param name="Reservations">Empty when it has none or they cannot be read; in order of containers and devices.</param>
internal sealed record MigPod(string Uid, string FullName, bool Over, bool InitsEnded, bool Trusted, ImmutableArray<MigReservation> Reservations)
{
    public static MigPod Of(Pod pod, bool trusted) => new(
        pod.Uid, $"{pod.Namespace}/{pod.Name}", IsOver(pod), HaveInitsEnded(pod), trusted, Read(pod));

    /// <summary>
    /// Where the instance for a reservation is. The kubelet wants all containers' devices before the first of them runs, but an init
    /// container's slices may be those of a later container: it then shares that one's instance.
    /// </summary>
    public MigSeat SeatOf(MigReservation reservation) => !reservation.EndsBeforeApps
        ? reservation.Seat
        : Reservations.Where(r => r.Container != reservation.Container && r.Seat.Covers(reservation.Seat))
            .OrderBy(r => r.EndsBeforeApps).ThenByDescending(r => r.Seat.Place.Size).ThenByDescending(r => r.Seat.Slices)
            .FirstOrDefault()?.Seat ?? reservation.Seat;

    /// <summary>Has only init containers that run to their end there?</summary>
    public bool OnlyForInits(MigSeat seat) => Reservations.Where(r => SeatOf(r).Is(seat)).All(r => r.EndsBeforeApps);

    /// <summary>Why a container's instances and the rest of the pod's cannot exist together, as a sentence; null when they can.</summary>
    public string? Conflict(string container)
    {
        foreach (var mine in Reservations.Where(r => r.Container == container))
            if (Reservations.FirstOrDefault(r => r != mine && SeatOf(r).Overlaps(SeatOf(mine)) && !(r.Container != container && SeatOf(r).Is(SeatOf(mine)))) is { } other)
                return $"Containers {mine.Container} and {other.Container} of pod {FullName} are to have {mine.Seat.Profile} and {other.Seat.Profile} in the same slices of card {mine.Seat.Card}, "
                    + "and the kubelet asks for both before either runs; ask for the same memory in both, then create the pod again.";
        return null;
    }

    private static ImmutableArray<MigReservation> Read(Pod pod)
    {
        if (pod.Annotation(HamiKeys.MigAllocations) is not { Length: > 0 } text)
            return [];
        IReadOnlyList<MigAllocation> records;
        try
        {
            records = MigAllocations.Decode(text);
        }
        catch (FormatException)
        {
            // Whoever hands out devices says so; nobody else's instances are concerned.
            return [];
        }
        var inits = pod.Spec.InitContainers ?? [];
        Container[] containers = [.. inits, .. pod.Spec.Containers ?? []];
        return
        [
            .. records.Where(r => r.ContainerIndex < containers.Length).OrderBy(r => r.ContainerIndex).ThenBy(r => r.DeviceIndex).Select(r => new MigReservation(
                containers[r.ContainerIndex].Name, r.ContainerIndex < inits.Count && Ends(containers[r.ContainerIndex]),
                new(r.GpuUuid, r.Profile, new MigPlacement(r.Placement!.Start, r.Placement.Size)), r)),
        ];
    }

    private static bool IsOver(Pod pod)
    {
        var apps = pod.Status?.ContainerStatuses ?? [];
        // A control plane that lost the node, or evicts, says Failed while containers may still run.
        if (apps.Concat(pod.Status?.InitContainerStatuses ?? []).Concat(pod.Status?.EphemeralContainerStatuses ?? []).Any(s => s.State?.Running is not null))
            return false;
        return pod.Status?.Phase is "Succeeded" or "Failed"
            || (pod.Metadata.DeletionTimestamp is not null && apps.Count > 0 && apps.Count == pod.Spec.Containers?.Count && apps.All(s => s.State?.Terminated is not null));
    }

    private static bool Ends(Container init) => init.RestartPolicy != "Always";

    // As hami-api tells it: from then on the scheduler gives the slices to others.
    private static bool HaveInitsEnded(Pod pod)
    {
        if (pod.Spec.InitContainers?.Any(Ends) is not true)
            return false;
        if (pod.Status?.ContainerStatuses?.Any(s => s.Started is true || s.State?.Running is not null || s.State?.Terminated?.StartedAt is not null || s.LastState?.Terminated?.StartedAt is not null) is true)
            return true;
        var statuses = pod.Status?.InitContainerStatuses ?? [];
        return pod.Spec.InitContainers.Where(Ends).All(c => statuses.Any(s => s.Name == c.Name && s.State?.Terminated is { ExitCode: 0 }));
    }
}
