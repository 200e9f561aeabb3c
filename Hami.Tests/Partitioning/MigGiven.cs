using System.Collections.Immutable;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Partitioning;

namespace Hami.Tests.Partitioning;

/// <summary>Short words for seats and pods.</summary>
internal static class MigGiven
{
    public static readonly ImmutableHashSet<string> Nobody = [];

    /// <summary>Such as <c>2g.10gb 2+2</c>, on card <c>GPU-a</c> unless another stands before it: <c>GPU-b 2g.10gb 2+2</c>.</summary>
    public static MigSeat Seat(string text)
    {
        var words = text.Split(' ');
        var place = words[^1].Split('+');
        return new(words.Length == 3 ? words[0] : "GPU-a", words[^2], new MigPlacement(int.Parse(place[0]), int.Parse(place[1])));
    }

    /// <summary>Reservations as <c>container: seat</c>; a container whose name begins with <c>i</c> is an init container that ends.</summary>
    public static MigPod Pod(string name, params string[] reservations)
    {
        var read = reservations.Select(r => r.Split(": ")).Select(r => (Container: r[0], Seat: Seat(r[1]))).ToList();
        return new($"uid-{name}", $"default/{name}", Over: false, InitsEnded: false, Trusted: true,
        [
            .. read.Select((r, i) => new MigReservation(r.Container, r.Container[0] == 'i', r.Seat, new()
            {
                ContainerIndex = read.Select(x => x.Container).Distinct().ToList().IndexOf(r.Container),
                DeviceIndex = read.Take(i).Count(x => x.Container == r.Container),
                GpuUuid = r.Seat.Card,
                Profile = r.Seat.Profile,
                Placement = new() { Start = r.Seat.Place.Start, Size = r.Seat.Place.Size },
            })),
        ]);
    }

    /// <summary>The pod as it stands after its instances were written onto it.</summary>
    public static MigPod Told(this MigPod pod, IReadOnlyCollection<MadeInstance> made) => MigRecords.Told(pod, made) is { } text
        ? pod with { Reservations = [.. pod.Reservations.Zip(MigAllocations.Decode(text), (r, record) => r with { Record = record })] }
        : pod;

    public static MadeInstance Entry(MigPod pod, string seat, int? id = null, string? uuid = null) =>
        new(Seat(seat), pod.Uid, pod.FullName, pod.OnlyForInits(Seat(seat)), id, id is null ? null : 0, uuid);

    public static GpuInstance There(string seat, int id, string? uuid, bool inUse = false) =>
        new(Seat(seat), id, uuid is null ? [] : [new ComputeInstance(0, uuid)], inUse);
}
