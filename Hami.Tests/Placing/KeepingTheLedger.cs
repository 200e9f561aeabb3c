using CsCheck;
using Hami.Domain.Allocating;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Releasing;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>Laws over any order of commands, those that make no sense among them.</summary>
public sealed class KeepingTheLedger
{
    private static readonly string[] Nodes = ["n1", "n2", "n3"];
    private static readonly DateTimeOffset At = DateTimeOffset.UnixEpoch;

    private static readonly ClusterLedger ThreeNodes = Nodes.Aggregate(ClusterLedger.Empty, (cluster, node) => ClusterLedger.Evolve(
        cluster, Streams.Node(node), At,
        new NodeEvent.DevicesRegistered(node, [Asks.Card($"{node}-a", memoryMiB: 8000, slots: 3), Asks.Card($"{node}-b", memoryMiB: 16000, slots: 2, index: 1)])));

    private static readonly Gen<Func<ClusterLedger, (string Stream, Verdict<NodeEvent> Verdict)>> AnyCommand = Gen.Frequency(
        (4, Gen.Select(Gen.Int[0, 11], Gen.Int[0, 2], Gen.Int[1, 3], Gen.Int[0, 9000], Gen.Int[0, 110], Gen.Bool, Place)),
        (1, Gen.Int[0, 11].Select(Gen.Int[0, 3], Release)),
        (1, Gen.Int[0, 11].Select(Gen.Bool, Advance)));

    [Fact]
    public void No_order_of_commands_gives_out_more_than_a_card_has() => AnyCommand.Array[0, 60].Sample(commands =>
    {
        var cluster = Run(commands);
        foreach (var (name, ledger) in cluster.Nodes)
        {
            var use = NodeUse.Of(name, ledger);
            for (var i = 0; i < use.Cards.Length; i++)
            {
                var (card, used) = (use.Cards[i], use.Uses[i]);
                Assert.InRange(used.MemoryMiB, 0, card.MemoryMiB);
                Assert.InRange(used.Cores, 0, card.Cores);
                Assert.InRange(used.Slots, 0, card.Slots);
            }
        }
    });

    [Fact]
    public void A_pod_holds_at_most_one_allocation_anywhere() => AnyCommand.Array[0, 60].Sample(commands =>
    {
        var cluster = Run(commands);
        var held = cluster.Nodes.Values.SelectMany(n => n.Allocations.Values).Select(a => a.PodUid).ToList();
        Assert.Equal(held.Distinct().Order(), cluster.LiveByPod.Keys.Order());
        Assert.Equal(held.Count, held.Distinct().Count());
    });

    [Fact]
    public void When_every_pod_has_given_back_what_it_held_the_cluster_is_as_new() => AnyCommand.Array[0, 60].Sample(commands =>
    {
        var cluster = Run(commands);
        foreach (var (pod, live) in cluster.LiveByPod)
            cluster = Apply(cluster, Streams.Node(live.Node), ReleaseAllocationDecider.Decide(new(pod, live.Id, ReleaseReason.Deleted), cluster));
        Assert.All(cluster.Nodes, n => Assert.All(NodeUse.Of(n.Key, n.Value).Uses.ToArray(), use => Assert.Equal(default, use)));
    });

    [Fact]
    public void The_same_command_twice_changes_nothing_the_second_time() => AnyCommand.Array[1, 40].Sample(commands =>
    {
        var cluster = Run(commands);
        var (stream, verdict) = commands[^1](cluster);
        var after = Apply(cluster, stream, verdict);
        var (_, again) = commands[^1](after);
        Assert.True(verdict.Events.Count == 0 || again.Events.Count == 0 || again.Events[0].GetType() != verdict.Events[0].GetType());
    });

    private static ClusterLedger Run(Func<ClusterLedger, (string Stream, Verdict<NodeEvent> Verdict)>[] commands) =>
        commands.Aggregate(ThreeNodes, (cluster, command) =>
        {
            var (stream, verdict) = command(cluster);
            return Apply(cluster, stream, verdict);
        });

    private static ClusterLedger Apply(ClusterLedger cluster, string stream, Verdict<NodeEvent> verdict) =>
        verdict.Events.Aggregate(cluster, (c, e) => ClusterLedger.Evolve(c, stream, At, e));

    private static Func<ClusterLedger, (string, Verdict<NodeEvent>)> Place(int pod, int node, int count, int memoryMiB, int cores, bool binpack)
    {
        var ask = Asks.Pod($"pod-{pod}", count, memoryMiB, percent: memoryMiB == 0 ? 30 : 0, cores: cores > 100 ? 100 : cores, cards: binpack ? "binpack" : "spread");
        return cluster => (Streams.Node(Nodes[node]), PlaceAllocationDecider.Decide(Asks.Place(ask, Nodes[node]), cluster));
    }

    private static Func<ClusterLedger, (string, Verdict<NodeEvent>)> Release(int pod, int reason) => cluster => OnLive(
        cluster, pod, (uid, id) => ReleaseAllocationDecider.Decide(new(uid, id, (ReleaseReason)reason), cluster));

    private static Func<ClusterLedger, (string, Verdict<NodeEvent>)> Advance(int pod, bool attached) => cluster => OnLive(
        cluster, pod, (uid, id) => attached ? ConfirmAttachedDecider.Decide(new(uid, id), cluster) : ConfirmBoundDecider.Decide(new(uid, id), cluster));

    private static (string, Verdict<NodeEvent>) OnLive(ClusterLedger cluster, int pod, Func<string, Guid, Verdict<NodeEvent>> decide)
    {
        var uid = $"pod-{pod}";
        return cluster.LiveByPod.TryGetValue(uid, out var live)
            ? (Streams.Node(live.Node), decide(uid, live.Id))
            : (Streams.Node("n1"), decide(uid, Guid.Empty));
    }
}
