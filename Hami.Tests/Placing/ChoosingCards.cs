using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>Which cards of a node a pod gets, and why not others.</summary>
public sealed class ChoosingCards
{
    [Theory]
    [Trait("Hami", "case 47")]
    [Trait("Scoreboard", "B08")]
    [InlineData("GPU-0,GPU-1", "2/2 CardCordoned")]
    [InlineData("GPU-1, ", "GPU-0")]
    [InlineData("", "GPU-1")]
    [InlineData("GPU-9", "GPU-1")]
    public void A_cordoned_card_takes_no_new_pod(string annotation, string expected)
    {
        var node = NodeUse.Of("n1", NodeLedger.Empty with { Cards = [Asks.Card("GPU-0"), Asks.Card("GPU-1", index: 1)], Cordoned = [.. Cordon.Decode(annotation)] });

        Assert.Equal(expected, node.Try(Asks.Pod("p")));
    }

    [Fact]
    [Trait("Hami", "case 48")]
    public void More_cards_than_serve_say_how_many_do()
    {
        Assert.Equal("NodeInsufficientDevice", OneNode.Equal(1).Try(Asks.Pod("p", count: 2)));
        Assert.Equal("NodeInsufficientDevice", OneNode.Equal(2).Try(Asks.Pod("p", count: 3)));
        Assert.Equal(
            "2/3 AllocatedCardsInsufficientRequest, 1/3 CardTimeSlicingExhausted",
            OneNode.Equal(3, slots: 1).Used("GPU-1", 1, 0, 0).Try(Asks.Pod("p", count: 3)));
    }

    [Theory]
    [Trait("Hami", "case 49")]
    [Trait("Hami", "case 50")]
    [InlineData(1280, 0, 10, "GPU-0:128/0")]
    [InlineData(11264, 0, 100, "GPU-0:11264/0")]
    [InlineData(11264, 11260, 100, "1/1 CardInsufficientMemory")]
    public void A_percentage_is_of_the_registered_memory(long cardMiB, long usedMiB, int percent, string expected) => Assert.Equal(
        expected, OneNode.Equal(1, cardMiB).Used("GPU-0", usedMiB > 0 ? 1 : 0, usedMiB, 0).TryInFull(Asks.Pod("p", memoryMiB: 0, percent: percent)));

    [Theory]
    [Trait("Hami", "case 51")]
    [Trait("Hami", "case 52")]
    [Trait("Scoreboard", "B01")]
    [Trait("Scoreboard", "B02")]
    [InlineData("NVIDIA-A100", "a100,V100", null, true)]
    [InlineData("NVIDIA-A100", "A10", null, true)]
    [InlineData("NVIDIA-A100", "A10", "A100", false)]
    [InlineData("NVIDIA-A100", "V100,", null, false)]
    [InlineData("NVIDIA-A100", null, "V100,", true)]
    [InlineData("NVIDIA-A100", null, ",V100", true)]
    [InlineData("NVIDIA-A100", " , ", "", true)]
    [InlineData("NVIDIA-GTX 1080 Ti", null, "1080", false)]
    [InlineData("NVIDIA-GTX 1080", null, "1080", false)]
    [InlineData("NVIDIA-GTX 1070", null, "1080", true)]
    public void Models_are_chosen_and_avoided_by_a_part_of_their_name(string model, string? use, string? avoid, bool fits) => Assert.Equal(
        fits ? "GPU-0" : "1/1 CardTypeMismatch",
        OneNode.With(Asks.Card("GPU-0", model)).Try(Annotated((HamiKeys.UseGpuType, use), (HamiKeys.NoUseGpuType, avoid))));

    [Theory]
    [Trait("Hami", "case 46")]
    [Trait("Scoreboard", "B03")]
    [Trait("Scoreboard", "B04")]
    [InlineData("GPU-1, GPU-0", null, "GPU-1")]
    [InlineData("GPU-0", null, "GPU-0")]
    [InlineData("GPU-9", null, "2/2 CardUuidMismatch")]
    [InlineData("GPU", null, "2/2 CardUuidMismatch")]
    [InlineData(null, "GPU-1", "GPU-0")]
    [InlineData("GPU-0,GPU-1", "GPU-1", "GPU-0")]
    [InlineData("GPU-1", "GPU-1", "2/2 CardUuidMismatch")]
    public void Cards_are_chosen_and_avoided_by_their_UUID(string? use, string? avoid, string expected) =>
        Assert.Equal(expected, OneNode.Equal(2).Try(Annotated((HamiKeys.UseGpuUuid, use), (HamiKeys.NoUseGpuUuid, avoid))));

    [Theory]
    [Trait("Hami", "case 53")]
    [Trait("Scoreboard", "B07")]
    [Trait("Scoreboard", "E08")]
    [InlineData("mps", "2/2 CardTypeMismatch")]
    [InlineData("hami-core", "GPU-0")]
    [InlineData("mig", "GPU-1")]
    [InlineData("mig,hami-core", "GPU-1")]
    [InlineData(null, "GPU-1")]
    public void A_mode_that_is_named_is_the_only_one_and_none_is_any(string? mode, string expected) => Assert.Equal(
        expected,
        OneNode.With(Asks.Card("GPU-0"), Asks.Card("GPU-1", index: 1) with { Mode = "mig", MigProfiles = AnyScene.A100Profiles }).Try(Annotated((HamiKeys.GpuMode, mode))));

    [Theory]
    [Trait("Hami", "case 54")]
    [Trait("Hami", "case 55")]
    [Trait("Scoreboard", "B06")]
    [InlineData("0:0 1:0", 2, "1/2 AllocatedCardsInsufficientRequest, 1/2 NumaNotFit")]
    [InlineData("1:0 1:0 0:0", 2, "GPU-1 GPU-0")]
    [InlineData("0:5 0:1 1:3", 2, "GPU-1 GPU-0")]
    [InlineData("0:0 1:0 0:0 1:0", 2, "GPU-3 GPU-1")]
    [InlineData("0:0 1:0", 1, "GPU-1")]
    public void Cards_of_a_pod_that_wants_one_NUMA_node_share_it(string cards, int count, string expected) =>
        Assert.Equal(expected, OneNode.Numa(cards).Try(Asks.Pod("p", count, wish: CardWish.Any with { OneNuma = true })));

    [Theory]
    [Trait("Hami", "case 57")]
    [Trait("Scoreboard", "C07")]
    [InlineData(1, "GPU-0")]
    [InlineData(2, "1/2 AllocatedCardsInsufficientRequest, 1/2 ExclusiveDeviceAllocateConflict")]
    public void Mutex_takes_cards_that_nobody_uses(int count, string expected) =>
        Assert.Equal(expected, OneNode.Numa("0:0 0:1").Try(Asks.Pod("p", count, cards: "mutex")));

    [Theory]
    [Trait("Hami", "case 56")]
    [Trait("Hami", "case 58")]
    [Trait("Scoreboard", "C08")]
    // policy, one NUMA node wanted, cards as NUMA:users → the card taken first
    [InlineData("spread", false, "0:1 1:8 1:5", 0)]
    [InlineData("binpack", false, "0:1 0:2", 1)]
    [InlineData("binpack", false, "0:2 0:1", 0)]
    [InlineData("spread", false, "0:1 0:2", 0)]
    [InlineData("binpack", false, "1:1 0:1", 0)]
    [InlineData("spread", false, "1:1 0:1", 0)]
    [InlineData("binpack", true, "1:2 0:1", 1)]
    [InlineData("spread", true, "0:0 1:2", 1)]
    [InlineData("mutex", false, "1:1 0:0", 1)]
    [InlineData("numa", false, "0:0 1:9", 1)]
    [InlineData("numa", false, "1:0 1:3", 1)]
    [InlineData("mutex,spread", false, "1:0 0:0", 1)]
    [InlineData("mutex,topology-aware", false, "1:0 0:0", 1)]
    [InlineData("binpack,spread", true, "1:0 0:2", 0)]
    [InlineData("binpack,numa", false, "1:0 0:2", 1)]
    [InlineData("binpack,numa", false, "1:1 0:1", 0)]
    [InlineData("numa,binpack", false, "1:0 0:2", 0)]
    [InlineData("numa,binpack", false, "1:2 1:1", 0)]
    public void The_words_of_the_policy_are_compared_in_their_order(string policy, bool oneNuma, string cards, int expected) =>
        Assert.Equal($"GPU-{expected}", OneNode.Numa(cards).Try(Asks.Pod("p", wish: CardWish.Any with { OneNuma = oneNuma }, cards: policy)));

    [Theory]
    [Trait("Hami", "case 59")]
    // GPU-0 has 2 of 10 slots, 1 of 4 cores and 2048 of 8192 MiB in use: with a share of 1 core and 1024 MiB it scores 11.75.
    [InlineData(48, "GPU-0")]
    [InlineData(50, "GPU-1")]
    public void A_card_is_scored_as_it_would_be_with_the_share(int usedCores, string expected)
    {
        var node = OneNode.With(Asks.Card("GPU-0", memoryMiB: 8192) with { Cores = 4 }, Asks.Card("GPU-1", memoryMiB: 8192, index: 1))
            .Used("GPU-0", 2, 2048, 1).Used("GPU-1", 2, 2048, usedCores);

        Assert.Equal(expected, node.Try(Asks.Pod("p", memoryMiB: 1024, cores: 1, cards: "binpack")));
    }

    [Theory]
    [Trait("Hami", "case 60")]
    [Trait("Scoreboard", "C09")]
    // Of 10 slots, 100 cores and 100 MiB GPU-0 has 1, 90 and 10 in use and GPU-1 7, 10 and 20; 40 % are asked.
    [InlineData(null, 0)]
    [InlineData("slot=1,core=1,memory=3", 1)]
    [InlineData("core=3, slot=1, memory=1", 0)]
    [InlineData("slot=0,core=0,memory=1", 1)]
    public void Weights_say_how_much_slots_cores_and_memory_count(string? weights, int fuller)
    {
        var node = OneNode.Equal(2, memoryMiB: 100).Used("GPU-0", 1, 10, 90).Used("GPU-1", 7, 20, 10);
        var ask = Asks.Pod("p", memoryMiB: 0, percent: 40) with { Weights = weights is null ? null : ScoringWeights.TryParse(weights) };

        Assert.Equal($"GPU-{fuller}", node.Try(ask with { Cards = CardPolicy.Binpack }));
        Assert.Equal($"GPU-{1 - fuller}", node.Try(ask with { Cards = CardPolicy.Spread }));
    }

    [Theory]
    [Trait("Hami", "case 60")]
    [Trait("Scoreboard", "C09")]
    [InlineData("slot=1,core=1")]
    [InlineData("slot=-1,core=1,memory=1")]
    [InlineData("slot=1,core=1,memory=1,power=1")]
    [InlineData("slot=1,slot=1,memory=1")]
    [InlineData("slot=0,core=0,memory=0")]
    [InlineData("")]
    public void Weights_that_cannot_be_read_keep_the_pod_waiting_with_a_sentence(string text)
    {
        var (_, refusal) = Read((HamiKeys.ScoringWeights, text));

        Assert.StartsWith("calcScore failed invalid hami.io/device-scoring-weights annotation", refusal!.Sentence, StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Hami", "case 64")]
    [InlineData("i1x4000/0 a1x100/0", 500, 0, "2/2 CardInsufficientMemory")]
    [InlineData("i1x100/30 a1x100/0", 5000, 20, "2/2 CardInsufficientCore")]
    public void An_init_container_without_room_refuses_the_pod(string pod, long freeMiB, int freeCores, string expected) => Assert.Equal(
        expected, OneNode.Equal(2).Used("GPU-0", 1, 40960 - freeMiB, 100 - freeCores).Used("GPU-1", 1, 40960 - freeMiB, 100 - freeCores).Try(OneNode.Pod(pod)));

    [Theory]
    [Trait("Hami", "case 65")]
    [Trait("Hami", "case 66")]
    [InlineData("i2x100/0 a1x100/0", "spread", "GPU-1 GPU-0 GPU-1")]
    [InlineData("a1x8000/0 a1x1000/0", "spread", "GPU-1 GPU-0")]
    [InlineData("a1x8000/0 a1x1000/0", "binpack", "GPU-1 GPU-0")]
    public void Apps_find_what_init_containers_gave_back_and_not_what_other_apps_have(string pod, string cards, string expected) =>
        Assert.Equal(expected, OneNode.Equal(2, memoryMiB: 8000).Try(OneNode.Pod(pod, cards)));

    [Theory]
    [Trait("Scoreboard", "A24")]
    // An init container that ends is fitted beside the sidecar before it.
    [InlineData("s1x5000/0 i1x3000/0 a1x3000/0", "GPU-0 GPU-0 GPU-0")]
    [InlineData("s1x5000/0 i1x3001/0 a1x3000/0", "1/1 CardInsufficientMemory")]
    [InlineData("i1x8000/0 s1x5000/0 a1x3000/0", "GPU-0 GPU-0 GPU-0")]
    public void A_sidecar_keeps_what_it_has_while_others_come_and_go(string pod, string expected) =>
        Assert.Equal(expected, OneNode.Equal(1, memoryMiB: 8000).Try(OneNode.Pod(pod)));

    [Theory]
    [Trait("Hami", "case 70")]
    [Trait("Scoreboard", "C06")]
    // GPU-5 is tied to GPU-0 and GPU-2 by 100, all others by 1; then the same where GPU-1 and GPU-3 repel the others.
    [InlineData(3, 1, "GPU-5 GPU-2 GPU-0")]
    [InlineData(1, 1, "GPU-4")]
    [InlineData(2, -7, "GPU-5 GPU-2")]
    [InlineData(1, -7, "GPU-4")]
    [InlineData(6, 1, "GPU-5 GPU-4 GPU-3 GPU-2 GPU-1 GPU-0")]
    public void The_best_connected_cards_go_together_and_a_single_pod_gets_the_worst_connected(int count, int others, string expected)
    {
        int Score(int a, int b) => (a, b) is (5, 0) or (0, 5) or (5, 2) or (2, 5) ? 100 : others;
        var links = Enumerable.Range(0, 6).SelectMany(a => Enumerable.Range(0, 6).Where(b => a != b).Select(b => new CardLink($"GPU-{a}", $"GPU-{b}", Score(a, b)))).ToList();
        var node = NodeUse.Of("n1", NodeLedger.Empty with { Cards = [.. Enumerable.Range(0, 6).Select(i => Asks.Card($"GPU-{i}", index: i))], Links = links });

        Assert.Equal(expected, node.Try(Asks.Pod("p", count, cards: "topology-aware")));
    }

    [Fact]
    public void Of_all_NUMA_nodes_with_enough_cards_the_best_connected_pair_is_taken()
    {
        Card[] cards = [.. Enumerable.Range(0, 4).Select(i => Asks.Card($"GPU-{i}", index: i, numa: i / 2))];
        var ask = Asks.Pod("p", 2, wish: CardWish.Any with { OneNuma = true }, cards: "topology-aware");

        NodeUse Linked(params CardLink[] links) => NodeUse.Of("n1", NodeLedger.Empty with { Cards = cards, Links = links });

        Assert.Equal("GPU-1 GPU-0", Linked(new("GPU-1", "GPU-0", 50), new("GPU-3", "GPU-2", 10), new("GPU-3", "GPU-1", 99)).Try(ask));
        Assert.Equal("GPU-3 GPU-2", Linked(new("GPU-1", "GPU-0", 10), new("GPU-3", "GPU-2", 50)).Try(ask));
    }

    [Theory]
    [Trait("Scoreboard", "C04")]
    [Trait("Scoreboard", "C05")]
    [InlineData("spread", "GPU-0")]
    [InlineData("binpack", "GPU-1")]
    public void A_second_pod_goes_to_another_card_or_to_the_same(string policy, string second)
    {
        var pod = Asks.Pod("p", memoryMiB: 0, percent: 20, cards: policy);
        var node = OneNode.Equal(2);
        Assert.Equal("GPU-1", node.Try(pod));

        Assert.Equal(second, node.With([new(0, "main", false, "GPU-1", 8192, 0)]).Try(pod));
    }

    [Fact]
    [Trait("Scoreboard", "C11")]
    [Trait("Hami", "case 45")]
    public void The_eleventh_pod_on_a_card_of_ten_slots_is_refused() =>
        Assert.Equal("1/1 CardTimeSlicingExhausted", OneNode.Equal(1).Used("GPU-0", 10, 0, 0).Try(Asks.Pod("p")));

    [Theory]
    [Trait("Scoreboard", "C12")]
    [Trait("Scoreboard", "C13")]
    // A card of 24564 MiB and 100 cores, registered with both scaled by two.
    [InlineData(40_000, 0, 9128, 0, "GPU-0")]
    [InlineData(40_000, 0, 9129, 0, "1/1 CardInsufficientMemory")]
    [InlineData(0, 120, 100, 80, "GPU-0")]
    [InlineData(0, 120, 100, 81, "1/1 CardInsufficientCore")]
    public void Scaled_memory_and_cores_can_be_given_out(long usedMiB, int usedCores, long memoryMiB, int cores, string expected)
    {
        var node = OneNode.With(Asks.Card("GPU-0", memoryMiB: 2 * 24564) with { Cores = 200 });
        node = node.With([new(0, "a", false, "GPU-0", usedMiB / 2, usedCores / 2)]).With([new(0, "b", false, "GPU-0", usedMiB / 2, usedCores / 2)]);

        Assert.Equal(expected, node.Try(Asks.Pod("p", memoryMiB: memoryMiB, cores: cores)));
    }

    [Theory]
    [Trait("Scoreboard", "C14")]
    [Trait("Scoreboard", "C15")]
    [Trait("Hami", "case 43")]
    [Trait("Hami", "case 44")]
    // registered cores; in use: users and cores; cores asked
    [InlineData(100, 1, 100, 0, "1/1 CardComputeUnitsExhausted")]
    [InlineData(100, 1, 100, 1, "1/1 CardInsufficientCore")]
    [InlineData(100, 2, 0, 100, "1/1 ExclusiveDeviceAllocateConflict")]
    [InlineData(100, 0, 0, 100, "GPU-0")]
    [InlineData(200, 1, 100, 0, "1/1 CardComputeUnitsExhausted")]
    [InlineData(200, 1, 100, 10, "1/1 CardInsufficientCore")]
    [InlineData(200, 1, 10, 100, "1/1 ExclusiveDeviceAllocateConflict")]
    public void A_whole_card_is_nobody_elses_also_where_cores_are_scaled(int cardCores, int users, int usedCores, int cores, string expected) => Assert.Equal(
        expected, OneNode.With(Asks.Card("GPU-0") with { Cores = cardCores }).Used("GPU-0", users, 0, usedCores).Try(Asks.Pod("p", memoryMiB: 1, cores: cores)));

    private static PodAsk Annotated(params (string Key, string? Value)[] annotations) => Read(annotations).Ask;

    private static (PodAsk Ask, Refusal? Refusal) Read(params (string Key, string? Value)[] annotations) => PodAskParser.Parse(
        Pods.Shape("p", Pods.Container("main", gpu: 1, mem: 1000)) with
        {
            Annotations = annotations.Where(a => a.Value is not null).ToDictionary(a => a.Key, a => a.Value!, StringComparer.Ordinal),
        },
        NvidiaConfig.Hami, PlacementPolicy.Default);
}
