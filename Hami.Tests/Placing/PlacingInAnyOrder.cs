using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Releasing;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>Laws over random sequences of pods that come, shrink and go on random clusters with every kind of ask.</summary>
public sealed class PlacingInAnyOrder
{
    private static readonly DateTimeOffset At = DateTimeOffset.UnixEpoch;

    [Fact]
    [Trait("Scoreboard", "A01")]
    [Trait("Scoreboard", "C11")]
    [Trait("Scoreboard", "E05")]
    public void No_card_is_taken_over_its_memory_cores_slots_or_MIG_slices() => ForAnyHistory(1000, history =>
    {
        foreach (var (name, ledger) in history.Last.Nodes)
        {
            foreach (var card in ledger.Cards)
            {
                var pods = ledger.Allocations.Values.Select(a => MomentsOf(a, card)).ToList();
                Assert.True(pods.Sum(m => m.Max(Memory)) <= card.MemoryMiB, $"{name} {card.Uuid} memory");
                Assert.True(pods.Sum(m => m.Max(s => s.Sum(x => x.Cores))) <= card.Cores, $"{name} {card.Uuid} cores");
                Assert.True(pods.Sum(m => m.Max(s => s.Count)) <= card.Slots, $"{name} {card.Uuid} slots");
                // Slices of different pods never meet, nor those of one pod at one moment.
                var slices = pods.Select(m => m.SelectMany(Slices).ToHashSet()).ToList();
                Assert.Equal(slices.Sum(s => s.Count), slices.SelectMany(s => s).Distinct().Count());
                Assert.All(pods.SelectMany(m => m), moment => Assert.Equal(Slices(moment).Count(), Slices(moment).Distinct().Count()));
            }
        }
    });

    [Fact]
    [Trait("Scoreboard", "A06")]
    [Trait("Scoreboard", "C15")]
    public void Who_asked_for_a_whole_card_is_alone_on_it() => ForAnyHistory(1000, history =>
    {
        foreach (var ledger in history.Last.Nodes.Values)
        {
            foreach (var card in ledger.Cards.Where(c => !c.IsMig))
            {
                var users = ledger.Allocations.Values.Where(a => a.Held.Any(s => s.DeviceUuid == card.Uuid)).ToList();
                var whole = users.Where(a => a.Held.Any(s => s.DeviceUuid == card.Uuid && s.Cores == 100)).ToList();
                Assert.True(whole.Count == 0 || users.Count == 1, $"{card.Uuid} is shared though it was asked whole");
                Assert.All(whole.SelectMany(a => MomentsOf(a, card)), moment => Assert.True(moment.Count == 1 || moment.TrueForAll(s => s.Cores < 100)));
            }
        }
    });

    [Fact]
    public void The_same_view_and_the_same_request_are_the_same_decision() => ForAnyHistory(300, history =>
    {
        // The same view, folded by another process from the same log.
        for (var i = 0; i < history.Steps.Count; i++)
        {
            if (history.Steps[i] is { Command: { } command, Before: var before })
                Assert.Equal(Said(PlaceAllocationDecider.Decide(command, before)), Said(PlaceAllocationDecider.Decide(command, Fold(history.Steps.Take(i).SelectMany(s => s.Events)))));
        }
    });

    [Fact]
    public void A_decision_made_again_from_its_event_gives_the_same_shares() => ForAnyHistory(600, history =>
    {
        var log = history.Steps.SelectMany(s => s.Events).ToList();
        for (var i = 0; i < log.Count; i++)
        {
            if (log[i].Happened is not NodeEvent.AllocationPlaced placed)
                continue;
            // Only what the log holds: the events before, and what the decision noted beside them.
            var before = Fold(log.Take(i));
            var because = placed.Because;
            var node = because.Reservations.Aggregate(NodeUse.Of(placed.Node, before.Node(placed.Node), because.Host), (use, r) => use.With(r.Shares));
            var shares = new List<Share>();

            Assert.True(NodeFit.TryFit(because.Ask!, node, before.TermsFor(placed.Namespace) with { Quota = because.Quota ?? QuotaRoom.Unlimited }, shares, new int[CardRefusals.Count]));
            Assert.Equal(placed.Shares, shares);
            Assert.Equal(because.Quota ?? QuotaRoom.Unlimited, before.RoomOf(placed.Namespace));
        }
    });

    [Fact]
    [Trait("Scoreboard", "A23")]
    [Trait("Scoreboard", "G06")]
    public void Shrinking_and_releasing_return_exactly_what_was_taken() => ForAnyHistory(600, history =>
    {
        foreach (var (before, _, events) in history.Steps)
        {
            foreach (var (stream, happened) in events)
            {
                var after = ClusterLedger.Evolve(before, stream, At, happened);
                if (happened is NodeEvent.AllocationReleased { AllocationId: var released })
                    Returned(before, after, stream, released, _ => []);
                if (happened is NodeEvent.AllocationShrunk { AllocationId: var shrunk })
                    Returned(before, after, stream, shrunk, held => [.. held.Where(s => !s.EndsBeforeApps)]);
            }
        }
        var end = history.Last.LiveByPod.Aggregate(history.Last, (cluster, live) => Release(cluster, live.Key).Aggregate(cluster, Evolve));
        Assert.Empty(end.Used);
        Assert.All(end.Nodes, n => Assert.All(NodeUse.Of(n.Key, n.Value).Uses.ToArray(), use => Assert.Equal(default, use)));
    });

    private static void Returned(ClusterLedger before, ClusterLedger after, string stream, Guid id, Func<IReadOnlyList<Share>, IReadOnlyList<Share>> left)
    {
        var name = Streams.NodeOf(stream)!;
        var allocation = before.Node(name).Allocations[id];
        var (had, has) = (NodeUse.Of(name, before.Node(name)), NodeUse.Of(name, after.Node(name)));
        var remains = left(allocation.Held);
        for (var i = 0; i < had.Cards.Length; i++)
        {
            var card = had.Cards[i].Uuid;
            Assert.Equal(had.Uses[i] - CardUse.Of(allocation.Held, card) + CardUse.Of(remains, card), has.Uses[i]);
        }
        Assert.Equal(
            before.Used.GetValueOrDefault(allocation.Namespace, QuotaUse.None) - CardUse.Sum(allocation.Held) + CardUse.Sum(remains),
            after.Used.GetValueOrDefault(allocation.Namespace, QuotaUse.None));
    }

    /// <summary>The shares a pod has on a card at each moment of its life.</summary>
    private static List<List<Share>> MomentsOf(Allocation allocation, Card card)
    {
        var shares = allocation.Held.Where(s => s.DeviceUuid == card.Uuid).ToList();
        return
        [
            .. shares.Where(s => s.EndsBeforeApps).Select(s => s.ContainerIndex).Distinct()
                .Select(c => shares.FindAll(s => s.ContainerIndex == c || (!s.EndsBeforeApps && s.ContainerIndex < c))),
            shares.FindAll(s => !s.EndsBeforeApps),
        ];
    }

    private static long Memory(List<Share> moment) => moment.Sum(s => s.MemoryMiB);

    private static IEnumerable<int> Slices(List<Share> moment) => moment.Where(s => s.Mig is not null).SelectMany(s => Enumerable.Range(s.Mig!.Start, s.Mig.Size));

    private static string Said(Verdict<NodeEvent> verdict) => verdict.Events is [NodeEvent.AllocationPlaced placed]
        ? $"{placed.Node}: {string.Join("; ", placed.Shares)}"
        : $"{verdict.Refusal}";

    private static void ForAnyHistory(int times, Action<History> law) => Gen.Int.Sample(
        seed =>
        {
            try
            {
                law(new History(seed));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Not so with seed {seed}: {e.Message}", e);
            }
        },
        iter: times);

    private static ClusterLedger Fold(IEnumerable<(string Stream, object Happened)> log) => log.Aggregate(ClusterLedger.Empty, Evolve);

    private static ClusterLedger Evolve(ClusterLedger cluster, (string Stream, object Happened) e) =>
        ClusterLedger.Evolve(cluster, e.Stream, At, e.Happened) with { Position = cluster.Position + 1 };

    private static IEnumerable<(string, object)> Release(ClusterLedger cluster, string pod) => cluster.LiveByPod.TryGetValue(pod, out var live)
        ? ReleaseAllocationDecider.Decide(new(pod, live.Id, ReleaseReason.Deleted), cluster).Events.Select(e => (Streams.Node(live.Node), (object)e))
        : [];

    /// <summary>What happened in a cluster, step by step, with what each step was decided on.</summary>
    private sealed class History
    {
        private readonly Random _random;
        private readonly AnyScene _scene;
        private readonly List<string> _names = [];

        public History(int seed)
        {
            (_random, _scene) = (new(seed), new(seed));
            var cluster = ClusterLedger.Empty;
            foreach (var node in _scene.Nodes())
            {
                _names.Add(node.Name);
                Take(ref cluster, null, [(Streams.Node(node.Name), new NodeEvent.DevicesRegistered(node.Name, node.Cards, node.Links))]);
                Take(ref cluster, null, [.. node.Cordoned.Select(u => (Streams.Node(node.Name), (object)new NodeEvent.DeviceCordoned(u)))]);
            }
            if (_random.Next(3) == 0)
                Take(ref cluster, null, [(Streams.Quota("default"), new QuotaEvent.QuotaChanged("default", [new("q", _random.Next(1, 20) * 8000, _random.Next(1, 10) * 60)]))]);
            for (var step = 0; step < 14; step++)
                Step(ref cluster, step);
            Last = cluster;
        }

        public ClusterLedger Last { get; }

        public List<(ClusterLedger Before, PlaceAllocation? Command, IReadOnlyList<(string Stream, object Happened)> Events)> Steps { get; } = [];

        private void Step(ref ClusterLedger cluster, int step)
        {
            var live = cluster.LiveByPod.Keys.Order(StringComparer.Ordinal).ToList();
            if (live.Count > 0 && _random.Next(4) == 0)
            {
                Take(ref cluster, null, [.. Release(cluster, live[_random.Next(live.Count)])]);
                return;
            }
            if (live.Count > 0 && _random.Next(4) == 0)
            {
                var pod = live[_random.Next(live.Count)];
                var (id, name) = (cluster.LiveByPod[pod].Id, cluster.LiveByPod[pod].Node);
                if (!cluster.Node(name).Allocations[id].InitsEnded)
                    Take(ref cluster, null, [(Streams.Node(name), new NodeEvent.AllocationShrunk(id, pod))]);
                return;
            }
            var node = _names[_random.Next(_names.Count)];
            var uid = $"pod-{_random.Next(20)}";
            // Sometimes another pod has reserved a part of the node.
            var ledger = cluster.Node(node);
            var reserved = new List<Share>();
            if (_random.Next(3) == 0 && ledger.Cards.Count > 0)
                NodeFit.TryFit(_scene.Pod("reserving"), NodeUse.Of(node, ledger), Terms.Plain, reserved, new int[CardRefusals.Count]);
            var command = new PlaceAllocation(new Guid(step, 0, 0, new byte[8]), _scene.Pod(uid), node, 1, [], reserved.Count > 0 ? [new("reserving", reserved)] : []);
            Take(ref cluster, command, [.. PlaceAllocationDecider.Decide(command, cluster).Events.Select(e => (Streams.Node(node), (object)e))]);
        }

        private void Take(ref ClusterLedger cluster, PlaceAllocation? command, IReadOnlyList<(string Stream, object Happened)> events)
        {
            foreach (var one in events.DefaultIfEmpty())
            {
                Steps.Add((cluster, command, one.Happened is null ? [] : [one]));
                if (one.Happened is not null)
                    cluster = Evolve(cluster, one);
            }
        }
    }
}
