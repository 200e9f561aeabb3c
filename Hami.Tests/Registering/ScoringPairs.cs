using System.Collections.Immutable;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Registering;

namespace Hami.Tests.Registering;

public sealed class ScoringPairs
{
    [Theory]
    [InlineData(0, 12, 1260)]
    [InlineData(10, 0, 50)]
    [InlineData(20, 0, 40)]
    [InlineData(30, 0, 30)]
    [InlineData(40, 1, 120)]
    [InlineData(50, 0, 10)]
    [InlineData(-1, 0, 0)]
    [InlineData(50, 18, 1810)]
    public void Case_15_a_pair_has_what_PCIe_and_NVLink_give_it(int level, int nvlinks, int score)
    {
        var scores = PairScores.Of([Card("GPU-a", "0000:01:00.0", ("0000:02:00.0", nvlinks), level, "GPU-b"), Card("GPU-b", "0000:02:00.0", ("0000:01:00.0", nvlinks), level, "GPU-a")]);
        Assert.Equal([("GPU-a", "GPU-b", score), ("GPU-b", "GPU-a", score)], scores.Links.Select(l => (l.From, l.To, l.Score)));
        Assert.Empty(scores.Asymmetric);
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(1, 0)]
    [InlineData(0, 18)]
    public void Case_15_a_pair_whose_ends_do_not_agree_scores_nothing_and_is_named(int there, int back)
    {
        var scores = PairScores.Of([Card("GPU-b", "0000:02:00.0", ("0000:01:00.0", there), 10, "GPU-a"), Card("GPU-a", "0000:01:00.0", ("0000:02:00.0", back), 10, "GPU-b")]);
        Assert.All(scores.Links, l => Assert.Equal(0, l.Score));
        Assert.Equal([("GPU-a", "GPU-b")], scores.Asymmetric);
    }

    [Fact]
    public void Cards_on_an_NVSwitch_have_as_many_links_as_the_one_with_fewer()
    {
        var scores = PairScores.Of([Switched("GPU-a", 12), Switched("GPU-b", 18), Switched("GPU-c", 0)]);
        Assert.Equal([1200, 0, 1200, 0, 0, 0], scores.Links.Select(l => l.Score));
    }

    [Fact]
    public void The_annotation_is_HAMis()
    {
        var scores = PairScores.Of([Card("GPU-a", "0000:01:00.0", ("0000:02:00.0", 12), 0, "GPU-b"), Card("GPU-b", "0000:02:00.0", ("0000:01:00.0", 12), 0, "GPU-a")]);
        var text = NodeScores.Encode(["GPU-a", "GPU-b"], scores.Links);
        Assert.Equal("""[{"uuid":"GPU-a","score":{"GPU-b":1260}},{"uuid":"GPU-b","score":{"GPU-a":1260}}]""", text);
        Assert.Equal(scores.Links, NodeScores.Decode(text));
        Assert.Equal("""[{"uuid":"GPU-a","score":{}}]""", NodeScores.Encode(["GPU-a"], []));
    }

    private static SeenLinks Card(string uuid, string address, (string To, int Count) links, int level, string other) => new(
        uuid, address, links.Count == 0 ? ImmutableDictionary<string, int>.Empty : ImmutableDictionary<string, int>.Empty.Add(links.To, links.Count), ToSwitch: 0)
    {
        Level = ImmutableDictionary<string, int>.Empty.Add(other, level),
    };

    private static SeenLinks Switched(string uuid, int links) => new(uuid, uuid, ImmutableDictionary<string, int>.Empty, links);
}
