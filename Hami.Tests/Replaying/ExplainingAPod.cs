using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;
using Hami.Tests.Given;
using static Hami.Tests.Given.Asks;

namespace Hami.Tests.Replaying;

/// <summary>What is said of a pod is approved text: people act on it.</summary>
public sealed class ExplainingAPod
{
    private static Told TwoNodes => new Told()
        .Node("n1", Card("GPU-1", memoryMiB: 40_000), Card("GPU-2", memoryMiB: 40_000, index: 1))
        .Node("n2", Card("GPU-3", memoryMiB: 24_000, model: "NVIDIA-A10"));

    [Fact]
    [Trait("Scoreboard", "H04")]
    public void A_pod_that_holds_cards() => Approve(
        "placed", "train",
        TwoNodes.Quota(60_000).Asks(Pod("first", memoryMiB: 10_000)).Asks(Pod("train", memoryMiB: 20_000, cores: 30, wish: CardWish.Any with { AvoidTypes = ["T4"], OneNuma = true })).Bound("train").Attached("train"));

    [Fact]
    [Trait("Scoreboard", "H05")]
    public void A_pod_that_waits_for_room() => Approve(
        "waits", "big",
        TwoNodes.Asks(Pod("a", memoryMiB: 30_000)).Asks(Pod("b", memoryMiB: 25_000)).Asks(Pod("big", memoryMiB: 35_000)));

    [Fact]
    [Trait("Scoreboard", "H05")]
    public void A_pod_that_no_card_is_large_enough_for() => Approve("never", "huge", TwoNodes.Asks(Pod("huge", count: 4, memoryMiB: 50_000)));

    [Fact]
    public void A_pod_that_waited_was_placed_and_ended() => Approve(
        "ended", "late", TwoNodes.Asks(Pod("a", count: 2, memoryMiB: 40_000)).Asks(Pod("late", memoryMiB: 30_000)).Ends("a").Asks(Pod("late", memoryMiB: 30_000)).Bound("late").Ends("late"));

    [Theory]
    [InlineData("MiB", "It would fit if it asked at most 15000 MiB of a card instead of 35000.")]
    [InlineData("%", "It would fit if it asked at most 37 % of a card's memory instead of 80 %.")]
    [InlineData("cores", "It would fit if it asked at most 40 % of a card's compute instead of 50 %.")]
    [InlineData("count", "It would fit if no container asked for more than 2 cards instead of 3.")]
    [InlineData("model", "It would fit without its annotations that name models of cards.")]
    [InlineData("uuid", "It would fit without its annotations that name UUIDs of cards.")]
    [InlineData("mode", "It would fit without its annotations that name a mode of cards.")]
    [InlineData("numa", "It would fit without its annotations that want all cards on one NUMA node.")]
    [InlineData("mutex", "It would fit if it shared cards: its card policy mutex takes only cards that nobody uses.")]
    [InlineData("quota", "It would fit if the quota of namespace default left 2000 MiB more.")]
    [InlineData("cordon", "It would fit on n1 if these cards were not cordoned: GPU-1.")]
    [InlineData("others", "It would fit on n1 if this pod ended: default/b.")]
    public void What_would_let_it_fit_is_found_by_trying_it(string what, string sentence)
    {
        var two = new Told().Node("n1", Card("GPU-1", memoryMiB: 40_000), Card("GPU-2", memoryMiB: 40_000, index: 1, numa: 1)).Asks(Pod("a", memoryMiB: 25_000, cores: 60)).Asks(Pod("b", memoryMiB: 25_000, cores: 60));
        var any = CardWish.Any;
        var (told, ask) = what switch
        {
            "MiB" or "others" => (two, Pod("p", memoryMiB: 35_000)),
            "%" => (two, Pod("p", memoryMiB: 0, percent: 80)),
            "cores" => (two, Pod("p", cores: 50)),
            "count" => (two, Pod("p", count: 3)),
            "model" => (two, Pod("p", wish: any with { UseTypes = ["H100"] })),
            "uuid" => (two, Pod("p", wish: any with { AvoidUuids = ["GPU-1", "GPU-2"] })),
            "mode" => (two, Pod("p", wish: any with { Mode = "mig" })),
            "numa" => (two, Pod("p", count: 2, wish: any with { OneNuma = true })),
            "mutex" => (two, Pod("p", cards: "mutex")),
            "quota" => (two.Quota(60_000), Pod("p", memoryMiB: 12_000)),
            _ => (new Told().Node("n1", Card("GPU-1")).Happened(Streams.Node("n1"), new NodeEvent.DeviceCordoned("GPU-1")), Pod("p")),
        };

        Assert.Contains(sentence, WhatWouldFit.Of(ask, told.Cluster));
    }

    [Fact]
    public void One_that_fits_by_now_waits_for_kube_scheduler()
    {
        var told = new Told().Node("n1", Card("GPU-1")).Asks(Pod("a", cores: 100)).Asks(Pod("p")).Ends("a");

        Assert.Equal(["It fits as it is: it waits for kube-scheduler to try it again."], WhatWouldFit.Of(Pod("p"), told.Cluster));
    }

    private static void Approve(string file, string pod, Told told)
    {
        var explained = ExplainPod.Of(pod, told.Log, told.Cluster.Position);
        Assert.NotNull(explained);
        ApprovedText.Is($"explained/{file}.txt", ExplainText.Of(ExplainPod.Tried(explained, told.Cluster)));
    }
}
