using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class CuttingMigInstances
{
    private static readonly MigProfile One = new("1g.5gb", 5120, 14, 1, [.. Enumerable.Range(0, 7).Select(i => new MigPlacement(i, 1))]);
    private static readonly MigProfile Two = new("2g.10gb", 10240, 28, 2, [new(0, 2), new(2, 2), new(4, 2)]);
    private static readonly MigProfile Three = new("3g.20gb", 20480, 42, 3, [new(0, 4), new(4, 4)]);

    private static readonly MigProfile[] A100Of80 =
    [
        new("1g.10gb", 9728, 14, 1, [.. Enumerable.Range(0, 7).Select(i => new MigPlacement(i, 1))]),
        new("2g.20gb", 19968, 28, 2, [new(0, 2), new(2, 2), new(4, 2)]),
    ];

    [Theory]
    [Trait("Hami", "case 75")]
    [Trait("Scoreboard", "E01")]
    [Trait("Scoreboard", "E02")]
    [Trait("Scoreboard", "E09")]
    // instances there are, asked MiB and percent → the instance
    [InlineData("", 10000, 0, "2g.10gb@0:10240/28")]
    [InlineData("2g@0 2g@2 2g@4", 10000, 0, "1/1 CardMigTopologyInfeasible")]
    [InlineData("2g@0 2g@2 2g@4", 5000, 0, "1g.5gb@6:5120/14")]
    [InlineData("2g@0 2g@2 2g@4", 0, 25, "1/1 CardMigTopologyInfeasible")]
    [InlineData("2g@0", 10000, 0, "2g.10gb@2:10240/28")]
    [InlineData("1g@6", 15000, 0, "3g.20gb@0:20480/42")]
    [InlineData("", 15000, 0, "3g.20gb@4:20480/42")]
    [InlineData("", 0, 100, "3g.20gb@4:20480/42")]
    public void The_smallest_profile_with_enough_memory_and_a_free_place_is_cut(string there, long memoryMiB, int percent, string expected) =>
        Assert.Equal(expected, Card(One, Two, Three).With(Instances(there)).TryInFull(Asks.Pod("p", memoryMiB: memoryMiB, percent: percent)));

    [Theory]
    [Trait("Scoreboard", "E02")]
    [InlineData(40960, "2g.10gb@0:10240/28")]
    [InlineData(81920, "1g.10gb@6:9728/14")]
    public void Eight_gigabytes_are_another_profile_on_another_card(long cardMiB, string expected)
    {
        var node = OneNode.With(Asks.Card("GPU-0", memoryMiB: cardMiB) with { Mode = "mig", MigProfiles = cardMiB > 50000 ? A100Of80 : [One, Two, Three] });

        Assert.Equal(expected, node.TryInFull(Asks.Pod("p", memoryMiB: 8000)));
    }

    [Fact]
    [Trait("Scoreboard", "E03")]
    public void A_profile_that_the_node_does_not_list_is_never_cut()
    {
        Assert.Equal("3g.20gb@4:20480/42", Card(Three).TryInFull(Asks.Pod("p", memoryMiB: 1000)));
        Assert.Equal("1/1 CardMigTopologyInfeasible", Card(One).TryInFull(Asks.Pod("p", memoryMiB: 10000)));
    }

    [Theory]
    [Trait("Scoreboard", "E05")]
    [InlineData("a1x20480/0 a1x10240/0 a1x5120/0 a1x5120/0", "3g.20gb@4 2g.10gb@0 1g.5gb@3 1g.5gb@2")]
    [InlineData("a1x5120/0 a1x10240/0 a1x20480/0", "1g.5gb@6 2g.10gb@0 CardMigTopologyInfeasible")]
    public void Instances_of_one_pod_stay_out_of_each_others_way(string pod, string expected)
    {
        var answer = Card(One, Two, Three).TryInFull(OneNode.Pod(pod));

        if (expected.EndsWith("Infeasible", StringComparison.Ordinal))
            Assert.Equal("1/1 CardMigTopologyInfeasible", answer);
        else
            Assert.Equal(expected, string.Join(' ', answer.Split(' ').Select(s => s[..s.IndexOf(':', StringComparison.Ordinal)])));
    }

    [Theory]
    [Trait("Hami", "case 76")]
    [Trait("Scoreboard", "E05")]
    [Trait("Scoreboard", "E09")]
    [InlineData("", "1g.5gb@6:5120/14 1g.5gb@5:5120/14")]
    [InlineData("1g@0 1g@1 1g@2 1g@3 1g@4 1g@5", "1/1 AllocatedCardsInsufficientRequest, 1/1 CardMigTopologyInfeasible")]
    public void Two_asked_of_one_card_are_two_instances(string there, string expected) =>
        Assert.Equal(expected, Card(One).With(Instances(there)).TryInFull(Asks.Pod("p", count: 2, memoryMiB: 5000)));

    [Fact]
    [Trait("Hami", "case 76")]
    public void Two_asked_of_one_card_that_is_not_cut_are_too_many() =>
        Assert.Equal("NodeInsufficientDevice", OneNode.Equal(1).Try(Asks.Pod("p", count: 2, memoryMiB: 5000)));

    [Fact]
    [Trait("Hami", "case 74")]
    public void While_it_is_not_known_where_a_pods_instance_is_nothing_more_is_cut_out_of_the_card()
    {
        var unknown = new Share(0, "adopted", false, "GPU-0", 5120, 14);
        var card = Card(One, Two, Three);

        Assert.Equal("1/1 CardMigTopologyInfeasible", card.With([unknown]).Try(Asks.Pod("p", memoryMiB: 5000)));
        Assert.Equal("GPU-0", card.With([unknown]).Without([unknown]).Try(Asks.Pod("p", memoryMiB: 5000)));
        Assert.Equal("1g.5gb@4:5120/14", card.With(Instances("1g@6 1g@5")).TryInFull(Asks.Pod("p", memoryMiB: 5000)));
    }

    private static NodeUse Card(params MigProfile[] profiles) => OneNode.With(Asks.Card("GPU-0") with { Mode = "mig", MigProfiles = profiles });

    private static Share[] Instances(string text) =>
    [
        .. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select((instance, i) =>
        {
            var (profile, start) = (instance[0] == '1' ? One : instance[0] == '2' ? Two : Three, instance[3] - '0');
            return new Share(i, $"c{i}", false, "GPU-0", profile.MemoryMiB, profile.Cores, new(profile.Name, start, profile.Placements[0].Size));
        }),
    ];
}
