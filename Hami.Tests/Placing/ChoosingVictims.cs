using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Preempting;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>Whom a more important pod pushes aside on one node of two cards with 10,000 MiB each.</summary>
public sealed class ChoosingVictims
{
    private static readonly NodeLedger TwoCards = NodeLedger.Empty with
    {
        Cards = [Asks.Card("A", memoryMiB: 10000, index: 0), Asks.Card("B", memoryMiB: 10000, index: 1)],
    };

    // Holders: name, card, MiB, priority; "!" goes anyway, "=" cannot be evicted, "~" is of another namespace.
    [Theory]
    [InlineData("a:A:8000:0 b:B:8000:0", 1, 5000, "b", "of equals the youngest goes")]
    [InlineData("a:A:8000:0 b:B:8000:1", 1, 5000, "a", "the least important goes")]
    [InlineData("a:A:8000:5 b:B:8000:5", 1, 5000, "none", "neither equals nor betters go")]
    [InlineData("a:A:8000:9 b:B:8000:6", 1, 5000, "none", "neither equals nor betters go")]
    [InlineData("a:A:8000:4 b:B:8000:9", 1, 5000, "a", "only the lesser one helps")]
    [InlineData("a:A:1000:0 b:A:8000:1 c:B:8000:9", 1, 5000, "b", "the least important is spared when it does not help")]
    [InlineData("a:A:3000:0 b:A:5000:1 c:B:8000:9", 1, 4000, "a", "one that is enough spares the other")]
    [InlineData("a:A:5000:0 b:A:5000:1 c:B:8000:9", 1, 8000, "b a", "all of a card, the most important first")]
    [InlineData("a:A:8000:0 b:B:8000:0", 2, 5000, "a b", "two cards need two pods; both are equally important")]
    [InlineData("a:A:8000:0 b:B:8000:9", 2, 5000, "none", "a card that stays taken makes the other useless")]
    [InlineData("a!:A:8000:9 b:B:8000:0", 1, 5000, "", "who goes anyway is enough")]
    [InlineData("a!:A:1000:0 b:A:8000:1 c:B:8000:9", 1, 9000, "b", "who goes anyway is not enough")]
    [InlineData("a=:A:8000:0 b:B:8000:9", 1, 5000, "none", "who is not on the node cannot be evicted")]
    [InlineData("a=:A:8000:0 b:B:8000:1", 1, 5000, "b", "who is not on the node cannot be evicted")]
    [InlineData("a:A:8000:0", 1, 10001, "none", "no card is that large")]
    [InlineData("a:A:8000:0", 1, 5000, "", "there was room already")]
    public void A_plan_names_the_fewest_and_least_important_that_must_go(string holders, int cards, long memoryMiB, string expected, string why)
    {
        var victims = ChooseVictims.On(Asks.Pod("p", cards, memoryMiB), 5, Full(Read(holders)), Read(holders), Terms.Plain);

        Assert.True(expected == (victims is null ? "none" : string.Join(' ', victims.Select(v => v.PodUid))), $"{why}: {string.Join(' ', victims?.Select(v => v.PodUid) ?? [])}");
    }

    [Theory]
    [InlineData("a:A:3000:0 b:B:3000:0", 2000, 3000, "b")]
    [InlineData("a~:A:3000:0 b:B:3000:1", 2000, 3000, "b")]
    [InlineData("a~:A:3000:0 b~:B:3000:1", 2000, 3000, "none")]
    [InlineData("a!:A:3000:0 b~:B:3000:1", 2000, 3000, "")]
    [InlineData("a~!:A:3000:0 b:B:3000:1", 2000, 3000, "b")]
    public void A_quota_is_helped_only_by_pods_of_its_own_namespace(string holders, long quotaLeft, long memoryMiB, string expected)
    {
        var terms = Terms.Plain with { Quota = new(quotaLeft, null) };

        var victims = ChooseVictims.On(Asks.Pod("p", 1, memoryMiB), 5, Full(Read(holders)), Read(holders), terms);

        Assert.Equal(expected, victims is null ? "none" : string.Join(' ', victims.Select(v => v.PodUid)));
    }

    [Fact]
    public void With_the_victims_gone_the_pod_fits_and_with_any_one_of_them_back_it_does_not() =>
        Gen.Select(
            Gen.Select(Gen.Int[0, 1], Gen.Int[1, 6], Gen.Int[0, 7], Gen.Int[0, 9]).Array[0, 8], Gen.Int[1, 2], Gen.Int[1, 11], Gen.Int[0, 2], Gen.Int[0, 20])
        .Sample((pods, cards, memory, cores, quota) =>
        {
            var taken = new int[2];
            var holders = new List<Holder>();
            foreach (var (card, size, priority, kind) in pods)
            {
                if (taken[card] + size > 10)
                    continue;
                taken[card] += size;
                holders.Add(Holder($"h{holders.Count}", card == 0 ? "A" : "B", size * 1000, priority,
                    kind == 0 ? HolderFate.Goes : kind == 1 ? HolderFate.Stays : HolderFate.MayGo, kind % 3 == 2 ? "other" : "default"));
            }
            var ask = Asks.Pod("p", cards, memory * 1000, cores: cores * 30);
            // Some have no quota at all.
            var room = quota > 10 ? QuotaRoom.Unlimited : new QuotaRoom(quota * 1000, null);
            var victims = ChooseVictims.On(ask, 5, Full(holders), holders, Terms.Plain with { Quota = room });

            var lesser = holders.Where(h => h.Fate is HolderFate.MayGo && h.Priority < 5).ToList();
            if (victims is null)
                return !FitsWithout(ask, holders, room, lesser);
            return victims.All(lesser.Contains)
                && FitsWithout(ask, holders, room, victims)
                && victims.All(spared => !FitsWithout(ask, holders, room, [.. victims.Where(v => v != spared)]))
                && victims.Select(v => v.Priority).SequenceEqual(victims.Select(v => v.Priority).OrderDescending());
        }, iter: 3000);

    [Fact]
    public void The_same_plan_again_is_not_written_again()
    {
        var command = new RecordPreemption(Asks.Pod("p"), [new("n1", ["a", "b"])], 3, 7);
        var planned = Assert.IsType<PodEvent.PreemptionPlanned>(Assert.Single(RecordPreemptionDecider.Decide(command, null, ClusterLedger.Empty).Events));

        Assert.Equal("Evicting 2 pods makes room on 1 of 3 nodes that kube-scheduler had in mind.", planned.Message);
        Assert.Empty(RecordPreemptionDecider.Decide(command with { LogPosition = 9 }, planned, ClusterLedger.Empty).Events);
        Assert.Single(RecordPreemptionDecider.Decide(command with { Plan = [new("n1", ["a"])] }, planned, ClusterLedger.Empty).Events);
        Assert.Single(RecordPreemptionDecider.Decide(command with { Plan = [] }, planned, ClusterLedger.Empty).Events);
    }

    /// <summary>Written independently of the planner: an empty node, and on it who is left.</summary>
    private static bool FitsWithout(PodAsk ask, IReadOnlyList<Holder> holders, QuotaRoom room, IReadOnlyList<Holder> gone)
    {
        bool Leaves(Holder h) => h.Fate is HolderFate.Goes || gone.Contains(h);
        var node = Full([.. holders.Where(h => !Leaves(h))]);
        var quota = room with { MemoryMiB = room.MemoryMiB + holders.Where(h => Leaves(h) && h.Namespace == "default").Sum(h => h.Shares[0].MemoryMiB) };
        return NodeFit.FitsAny(ask, [node], Terms.Plain with { Quota = quota });
    }

    private static NodeUse Full(IReadOnlyList<Holder> holders) => holders.Aggregate(NodeUse.Of("n", TwoCards), (node, h) => node.With(h.Shares));

    private static List<Holder> Read(string holders) =>
    [
        .. holders.Split(' ').Select(h => h.Split(':')).Select(h => Holder(
            h[0].TrimEnd('!', '=').TrimEnd('~'), h[1], long.Parse(h[2]), int.Parse(h[3]),
            h[0].EndsWith('!') ? HolderFate.Goes : h[0].EndsWith('=') ? HolderFate.Stays : HolderFate.MayGo,
            h[0].Contains('~') ? "other" : "default")),
    ];

    // A later letter is a later allocation.
    private static Holder Holder(string name, string card, long memoryMiB, int priority, HolderFate fate, string @namespace) => new(
        name, @namespace, new Guid(name[^1], 0, 0, new byte[8]), [new(0, "main", false, card, memoryMiB, 0)], priority, fate);
}
