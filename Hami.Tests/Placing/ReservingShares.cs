using System.Text.Json;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Placing;

public sealed class ReservingShares
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(50));
    private readonly ClusterView _view;

    public ReservingShares()
    {
        _view = new ClusterView(_time);
        foreach (var node in new[] { "n1", "n2" })
            Happened(node, new NodeEvent.DevicesRegistered(node, [Asks.Card($"GPU-{node}", memoryMiB: 8000, slots: 2)]));
    }

    private ClusterLedger Ledger { get; set; } = ClusterLedger.Empty;

    [Fact]
    public void What_one_pod_has_reserved_another_does_not_find()
    {
        Assert.True(Reserve("p1", "n1", 5000));

        Assert.Equal(5000, _view.Node("n1")!.Uses[0].MemoryMiB);
        Assert.Equal("p1", Assert.Single(_view.ReservedByOthers("n1", "p2")).PodUid);
        Assert.Empty(_view.ReservedByOthers("n1", "p1"));
    }

    [Fact]
    public void A_node_that_left_is_forgotten_with_its_last_reservation_and_may_return()
    {
        Offered("n1", "n2");
        Reserve("p1", "n1", 5000);

        Happened("n1", new NodeEvent.NodeRemoved("n1", "it left"));
        Assert.Null(_view.Node("n1"));
        Assert.Contains("n1", _view.NodeNames);
        Assert.True(_view.DropReservation("p1"));
        Happened("n2", new NodeEvent.DeviceCordoned("GPU-n2"));
        Assert.Equal(["n2"], _view.NodeNames);
        Assert.Equal(["n2"], Ledger.Nodes.Keys);
        Assert.Equal(["n2"], Offered("n1", "n2"));

        Happened("n1", new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-new", memoryMiB: 9000)]));
        Assert.Equal(["n1", "n2"], Offered("n1", "n2"));
        Assert.True(Reserve("p2", "n1", 8500));
        Assert.False(_view.DropReservation("p1"));
    }

    [Fact]
    public void A_reservation_that_is_replaced_or_ends_after_its_node_left_is_no_fault()
    {
        Reserve("p1", "n1", 5000);
        Reserve("p2", "n1", 1000);
        Happened("n1", new NodeEvent.NodeRemoved("n1", "it left"));

        Assert.True(Reserve("p1", "n2", 5000));
        _time.Advance(TimeSpan.FromSeconds(60));
        _view.ExpireDue();
        Happened("n2", new NodeEvent.DeviceCordoned("GPU-n2"));

        Assert.Equal(["n2"], _view.NodeNames);
        Assert.Equal(0, _view.Reservations);
    }

    /// <summary>The nodes with cards of an offer that names these.</summary>
    private string[] Offered(params string[] names)
    {
        var reader = new Utf8JsonReader(JsonSerializer.SerializeToUtf8Bytes(names));
        reader.Read();
        return [.. NodeOffer.ReadNames(ref reader, _view).Registered.Select(n => n.Name)];
    }

    [Fact]
    public void Of_two_decisions_on_the_same_state_only_one_reserves()
    {
        var seen = _view.Node("n1")!;

        Assert.True(_view.TryReserve(seen, Reservation("p1", "n1", 5000)));
        Assert.False(_view.TryReserve(seen, Reservation("p2", "n1", 5000)));
    }

    [Fact]
    public void A_pods_later_reservation_replaces_its_earlier_one()
    {
        Reserve("p1", "n1", 5000);
        Reserve("p1", "n2", 5000);

        Assert.Equal(0, _view.Node("n1")!.Uses[0].MemoryMiB);
        Assert.Equal("n2", _view.ReservationOf("p1")!.Node);
    }

    [Fact]
    public void A_reservation_ends_by_itself()
    {
        Reserve("p1", "n1", 5000);
        _time.Advance(TimeSpan.FromSeconds(60));

        Assert.Equal(0, _view.Node("n1")!.Uses[0].MemoryMiB);
        Assert.Null(_view.ReservationOf("p1"));
    }

    [Fact]
    public void A_placed_allocation_takes_the_reservations_place()
    {
        Reserve("p1", "n1", 5000);
        Happened("n1", PlaceAllocationDecider.Decide(Asks.Place(Asks.Pod("p1", memoryMiB: 5000), "n1"), Ledger).Events[0]);

        Assert.Equal(new CardUse(1, 0, 5000), _view.Node("n1")!.Uses[0]);
        Assert.Null(_view.ReservationOf("p1"));
    }

    [Fact]
    public void An_adopted_allocation_takes_the_reservations_place_too()
    {
        Reserve("p1", "n1", 5000);
        Happened("n2", new NodeEvent.AllocationAdopted(Guid.CreateVersion7(), "p1", "default", "p1", "n2", 1, [new(0, "main", false, "GPU-n2", 5000, 0)], "test", true));

        Assert.Equal(0, _view.Node("n1")!.Uses[0].MemoryMiB);
        Assert.Equal(new CardUse(1, 0, 5000), _view.Node("n2")!.Uses[0]);
        Assert.Null(_view.ReservationOf("p1"));
    }

    [Fact]
    public void Many_pods_at_once_never_reserve_more_than_there_is()
    {
        var reserved = 0;
        Parallel.For(0, 64, i =>
        {
            for (var tries = 0; tries < 100; tries++)
            {
                var choice = NodeChoice.Among(Asks.Pod($"p{i}", memoryMiB: 3000), [_view.Node("n1")!, _view.Node("n2")!], Terms.Plain);
                if (choice.Best is not { } best)
                    return;
                if (_view.TryReserve(best.Node, Reservation($"p{i}", best.Node.Name, 3000)))
                {
                    Interlocked.Increment(ref reserved);
                    return;
                }
            }
        });

        Assert.Equal(4, reserved);
        Assert.All(new[] { "n1", "n2" }, n => Assert.Equal(new CardUse(2, 0, 6000), _view.Node(n)!.Uses[0]));
    }

    private bool Reserve(string pod, string node, long memoryMiB) => _view.TryReserve(_view.Node(node)!, Reservation(pod, node, memoryMiB));

    private Reservation Reservation(string pod, string node, long memoryMiB) => new(
        Asks.Pod(pod, memoryMiB: memoryMiB), "1", node, [new(0, "main", false, $"GPU-{node}", memoryMiB, 0)], 2, [], _time.GetUtcNow() + TimeSpan.FromSeconds(60));

    private void Happened(string node, NodeEvent happened)
    {
        var stream = Streams.Node(node);
        Ledger = ClusterLedger.Evolve(Ledger, stream, _time.GetUtcNow(), happened) with { Position = Ledger.Position + 1 };
        _view.Committed(Ledger, [new(Ledger.Position, _time.GetUtcNow(), stream, happened)]);
    }
}
