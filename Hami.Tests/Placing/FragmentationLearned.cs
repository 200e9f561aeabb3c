using CsCheck;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

public sealed class FragmentationLearned
{
    [Fact]
    public void Before_anything_has_come_the_assumed_workload_stands() =>
        Assert.Equal(
            WorkloadMix.Assumed.Kinds.Select(k => k.Kind).ToHashSet(),
            LearnedWorkload.Empty.Mix().Kinds.Select(k => k.Kind).ToHashSet());

    [Fact]
    public void What_comes_often_weighs_as_often_as_it_comes()
    {
        var (often, seldom) = (new WorkloadKind(1, 3000, 0, 10), new WorkloadKind(2, 8000, 0, 0));
        var mix = Learn(Enumerable.Repeat(often, 300).Concat(Enumerable.Repeat(seldom, 100))).Mix();

        Assert.Equal(often, mix.Kinds[0].Kind);
        Assert.Equal(3, mix.Kinds[0].Weight / mix.Kinds.Single(k => k.Kind == seldom).Weight, 6);
        Assert.True(mix.Kinds.Where(k => k.Kind != often && k.Kind != seldom).Sum(k => k.Weight) < 0.05 * mix.Kinds.Sum(k => k.Weight));
    }

    [Fact]
    public void However_many_kinds_come_only_so_many_are_told_apart_and_the_frequent_ones_stay()
    {
        var often = new WorkloadKind(1, 3000, 0, 10);
        var learned = Learn(Enumerable.Range(1, 3000).SelectMany(i => new[] { often, new WorkloadKind(1, i, 0, 0) }));

        Assert.Equal(LearnedWorkload.MostKinds + WorkloadMix.Assumed.Kinds.Count, learned.Mix().Kinds.Count);
        Assert.Equal(often, learned.Mix().Kinds[0].Kind);
    }

    [Fact]
    public void A_workload_that_has_changed_is_learned_anew()
    {
        var (old, recent) = (new WorkloadKind(1, 3000, 0, 10), new WorkloadKind(1, 5000, 0, 10));
        var mix = Learn(Enumerable.Repeat(old, 4 * LearnedWorkload.Window).Concat(Enumerable.Repeat(recent, 2 * LearnedWorkload.Window))).Mix();

        Assert.Equal(recent, mix.Kinds[0].Kind);
    }

    [Fact]
    public void There_is_news_at_ever_longer_distances()
    {
        var learned = LearnedWorkload.Empty;
        var news = new List<long>();
        for (var i = 0; i < 20_000; i++)
        {
            learned = learned.With(new(1, 3000, 0, 0));
            if (learned.IsNewsSince(news.LastOrDefault()))
                news.Add(learned.Asks);
        }

        Assert.Equal([8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384], news);
    }

    [Fact]
    public void The_same_log_teaches_the_same_mix() =>
        FragmentationGens.Kind.Array[0, 400].Sample(kinds => Assert.Equal(Learn(kinds).Mix().Kinds, Learn(kinds).Mix().Kinds));

    [Fact]
    public void A_pod_counts_with_each_container_that_asks_for_cards_and_an_equal_part_of_its_host()
    {
        var ask = Asks.Pod("p", count: 2, memoryMiB: 3000, cores: 30, wish: new(["T4", "a10"], ["K80"], ["GPU-1"], [])) with { Host = new(8000, 4096) };
        ask = ask with { Containers = [.. ask.Containers, new("idle", false, 0, 0, 100, 0), new("percent", true, 1, 0, 50, 0)] };

        Assert.Equal(
            [new(2, 3000, 0, 30, new(4000, 2048), "A10,T4", "K80"), new(1, 0, 50, 0, new(4000, 2048), "A10,T4", "K80")],
            WorkloadKinds.Of(ask));
        Assert.Empty(WorkloadKinds.Of(ask with { Containers = [] }));
    }

    private static LearnedWorkload Learn(IEnumerable<WorkloadKind> kinds) => kinds.Aggregate(LearnedWorkload.Empty, (learned, kind) => learned.With(kind));
}
