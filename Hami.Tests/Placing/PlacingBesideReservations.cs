using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class PlacingBesideReservations
{
    private static readonly ClusterLedger OneCard = Happened(
        ClusterLedger.Empty, new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-a", memoryMiB: 8000, slots: 2)]));

    private static readonly ReservedShares Other = new("other", [new(0, "main", false, "GPU-a", 5000, 0)]);

    [Fact]
    public void What_another_pod_has_reserved_is_not_given_away()
    {
        var verdict = PlaceAllocationDecider.Decide(Place("p1", 5000, Other), OneCard);

        Assert.Equal(PlaceAllocationDecider.NodeUnfitPod, verdict.Refusal!.Reason);
    }

    [Fact]
    public void The_event_keeps_what_was_honoured()
    {
        var placed = Assert.IsType<NodeEvent.AllocationPlaced>(PlaceAllocationDecider.Decide(Place("p1", 3000, Other), OneCard).Events.Single());

        Assert.Equal([Other], placed.Because.Reservations);
    }

    [Fact]
    public void A_reservation_that_has_become_an_allocation_does_not_count_twice()
    {
        var taken = Happened(OneCard, PlaceAllocationDecider.Decide(Place("other", 4000), OneCard).Events.Single());

        var placed = Assert.IsType<NodeEvent.AllocationPlaced>(PlaceAllocationDecider.Decide(Place("p1", 4000, Other), taken).Events.Single());

        Assert.Empty(placed.Because.Reservations);
    }

    private static PlaceAllocation Place(string pod, long memoryMiB, params ReservedShares[] reservations) =>
        Asks.Place(Asks.Pod(pod, memoryMiB: memoryMiB), "n1") with { Reservations = reservations };

    private static ClusterLedger Happened(ClusterLedger cluster, NodeEvent happened) =>
        ClusterLedger.Evolve(cluster, Streams.Node("n1"), DateTimeOffset.UnixEpoch, happened);
}
