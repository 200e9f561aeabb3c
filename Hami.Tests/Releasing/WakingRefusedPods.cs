using System.Collections.Concurrent;
using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Releasing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Releasing;
using Hami.Tests.Given;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Releasing;

/// <summary>Refused pods are touched within a second of what was gained, each once, and no more than there is room for.</summary>
public sealed class WakingRefusedPods : IAsyncLifetime
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(125);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(50));
    private readonly WaitingPods _waiting = new();
    private readonly Touches _touches = new();
    private readonly SeenPods _pods = new();
    private readonly ClusterView _view;
    private readonly Waking _waking;
    private ClusterLedger _ledger = ClusterLedger.Empty;

    public WakingRefusedPods()
    {
        _view = new(_time);
        _waking = new(_view, _waiting, _touches, _pods, _time);
    }

    public async ValueTask InitializeAsync()
    {
        Happened(Streams.Node("n1"), new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-1", memoryMiB: 10000)]));
        await _waking.StartAsync(TestContext.Current.CancellationToken);
        // Refusals soon after a gain are looked at again; these tests want to see the gains.
        await AdvanceAsync(TimeSpan.FromSeconds(2));
    }

    public async ValueTask DisposeAsync()
    {
        await _waking.StopAsync(CancellationToken.None);
        _waking.Dispose();
    }

    [Theory]
    [InlineData("released")]
    [InlineData("healthy again")]
    [InlineData("uncordoned")]
    [InlineData("shrunk")]
    [InlineData("quota raised")]
    [InlineData("reservation expired")]
    [InlineData("reservation given back")]
    public async Task What_is_gained_touches_as_many_as_it_serves_within_a_second(string gain)
    {
        var happen = Prepare(gain);
        for (var i = 0; i < 200; i++)
            _waiting.Refused(Asks.Pod($"p{i}", memoryMiB: 3000), _ledger.Position);
        await AdvanceAsync(TimeSpan.FromSeconds(2));
        Assert.Empty(_touches.Touched);

        happen();

        await WithinASecondAsync(3);
        Assert.Equal(["p0", "p1", "p2"], _touches.Touched.Order(StringComparer.Ordinal));
        await AdvanceAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(3, _touches.Touched.Count);
    }

    [Fact]
    public async Task The_more_important_pod_is_woken_before_those_that_came_first()
    {
        var happen = Prepare("released");
        foreach (var uid in new[] { "first", "important" })
        {
            _pods.See(new(uid, "default", uid, "", "Pending", false, "", "", InitsEnded: false, uid == "important" ? 9 : 0, DateTimeOffset.UnixEpoch, Foreign: null));
            _waiting.Refused(Asks.Pod(uid, memoryMiB: 9000), _ledger.Position);
        }

        happen();

        await WithinASecondAsync(1);
        Assert.Equal(["important"], _touches.Touched);
    }

    [Fact]
    public async Task What_is_kept_for_a_pod_does_not_keep_it_from_being_woken()
    {
        var happen = Prepare("released");
        _waiting.Refused(Asks.Pod("nominated", memoryMiB: 9000), _ledger.Position);
        Assert.True(_view.TryReserve(_view.Node("n1")!, new(
            Asks.Pod("nominated", memoryMiB: 9000), "1", "n1", [new(0, "main", false, "GPU-1", 9000, 0)], 1, [], _time.GetUtcNow() + TimeSpan.FromSeconds(60))));
        await AdvanceAsync(TimeSpan.FromSeconds(2));
        Assert.Empty(_touches.Touched);

        happen();

        await WithinASecondAsync(1);
        Assert.Equal(["nominated"], _touches.Touched);
    }

    [Fact]
    public async Task A_pod_that_was_woken_in_vain_makes_way_for_the_next()
    {
        var happen = Prepare("released");
        for (var i = 0; i < 5; i++)
            _waiting.Refused(Asks.Pod($"p{i}", memoryMiB: 9000), _ledger.Position);

        happen();
        await WithinASecondAsync(1);
        // kube-scheduler has other reasons against the node than we know.
        _waiting.Refused(Asks.Pod("p0", memoryMiB: 9000), _ledger.Position);
        await WithinASecondAsync(2);
        // p1 never comes back: its room is free for another in the end, and none is touched twice.
        await AdvanceAsync(TimeSpan.FromSeconds(15));
        await WithinASecondAsync(3);
        Assert.Equal(["p0", "p1", "p2"], _touches.Touched);
    }

    [Fact]
    public async Task A_refusal_that_had_not_seen_what_was_gained_meanwhile_is_made_good()
    {
        var happen = Prepare("released");
        happen();
        await AdvanceAsync(TimeSpan.FromMilliseconds(200));

        _waiting.Refused(Asks.Pod("late", memoryMiB: 3000), _ledger.Position);

        await WithinASecondAsync(1);
        Assert.Equal(["late"], _touches.Touched);
    }

    [Fact]
    public async Task A_pod_that_is_gone_leaves_its_room_to_the_next()
    {
        var happen = Prepare("released");
        _touches.Gone.Add("p0");
        _waiting.Refused(Asks.Pod("p0", memoryMiB: 9000), _ledger.Position);
        _waiting.Refused(Asks.Pod("p1", memoryMiB: 9000), _ledger.Position);

        happen();

        await WithinASecondAsync(2);
        Assert.Equal(["p0", "p1"], _touches.Touched);
        Assert.Null(_waiting.Find("p0"));
    }

    /// <summary>The card as it is full, and what frees it.</summary>
    private Action Prepare(string gain)
    {
        var node = Streams.Node("n1");
        var id = Guid.NewGuid();
        void Place(bool endsBeforeApps) => Happened(node, new NodeEvent.AllocationPlaced(
            id, "holder", "default", "holder", "n1", 1, [new(0, "main", endsBeforeApps, "GPU-1", 9500, 0)],
            new(0, 1, [], "binpack", "spread", 0, [], Asks.Pod("holder"))));
        switch (gain)
        {
            case "released":
                Place(endsBeforeApps: false);
                return () => Happened(node, new NodeEvent.AllocationReleased(id, "holder", ReleaseReason.Deleted));
            case "shrunk":
                Place(endsBeforeApps: true);
                return () => Happened(node, new NodeEvent.AllocationShrunk(id, "holder"));
            case "healthy again":
                Happened(node, new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-1", memoryMiB: 10000, healthy: false)]));
                return () => Happened(node, new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-1", memoryMiB: 10000)]));
            case "uncordoned":
                Happened(node, new NodeEvent.DeviceCordoned("GPU-1"));
                return () => Happened(node, new NodeEvent.DeviceUncordoned("GPU-1"));
            case "quota raised":
                Happened(Streams.Quota("default"), new QuotaEvent.QuotaChanged("default", [new("q", 2000, null)]));
                return () => Happened(Streams.Quota("default"), new QuotaEvent.QuotaChanged("default", [new("q", 9500, null)]));
            default:
                Assert.True(_view.TryReserve(_view.Node("n1")!, new(
                    Asks.Pod("holder"), "1", "n1", [new(0, "main", false, "GPU-1", 9500, 0)], 1, [], _time.GetUtcNow() + TimeSpan.FromSeconds(10))));
                return gain == "reservation expired" ? () => _time.Advance(TimeSpan.FromSeconds(8)) : () => _view.DropReservation("holder");
        }
    }

    private void Happened(string stream, object happened)
    {
        _ledger = ClusterLedger.Evolve(_ledger, stream, _time.GetUtcNow(), happened) with { Position = _ledger.Position + 1 };
        IReadOnlyList<Recorded> recorded = [new(_ledger.Position, _time.GetUtcNow(), stream, happened)];
        _view.Committed(_ledger, recorded);
        _waking.Committed(_ledger, recorded);
    }

    /// <summary>A second of the clock is enough for so many touches, however long a busy machine takes for it.</summary>
    private async Task WithinASecondAsync(int touches)
    {
        for (var passed = TimeSpan.Zero; passed < Second; passed += Step)
        {
            _time.Advance(Step);
            for (var turn = 0; turn < 20 && _touches.Touched.Count < touches; turn++)
                await Task.Delay(2);
        }
        await ControlPlaneScene.UntilAsync(() => Task.FromResult(_touches.Touched.Count >= touches), () => $"{_touches.Touched.Count} of {touches} are touched");
        Assert.Equal(touches, _touches.Touched.Count);
    }

    private async Task AdvanceAsync(TimeSpan time)
    {
        for (var passed = TimeSpan.Zero; passed < time; passed += Step)
        {
            _time.Advance(Step);
            await Task.Delay(1);
        }
    }

    private sealed class Touches : IPodTouch
    {
        public ConcurrentQueue<string> Touched { get; } = [];

        public ConcurrentBag<string> Gone { get; } = [];

        public Task<Touch> TouchAsync(PodAsk ask, long position, CancellationToken cancellationToken)
        {
            Touched.Enqueue(ask.Uid);
            return Task.FromResult(Gone.Contains(ask.Uid) ? Touch.Gone : Touch.Done);
        }
    }
}
