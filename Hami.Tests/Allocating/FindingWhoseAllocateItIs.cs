using Hami.Domain.Protocol;
using Hami.NodeAgent.Allocating;
using static Hami.Tests.Allocating.NodePods;

namespace Hami.Tests.Allocating;

public sealed class FindingWhoseAllocateItIs
{
    private const string A = "GPU-a,NVIDIA,3000,50:";
    private const string B = "GPU-b,NVIDIA,4000,60:";

    private readonly HashSet<(string, string)> served = [];

    [Fact]
    public void The_listed_pod_without_devices_is_the_one_being_admitted() =>
        Assert.Equal("p2/c0", Owner(["GPU-a-1"],
            [Seen(Pod("p1", $"{A};", [1]), 1), Seen(Pod("p2", $"{A};", [1]), 2), Seen(Pod("p3", $"{A};", [1]), 3)],
            [Listed("p1", "c0=GPU-a-0"), Listed("p2", "c0")]));

    [Fact]
    public void A_pod_queued_behind_is_not_taken_though_it_was_bound_first() =>
        Assert.Equal("p2/c0", Owner(["GPU-a-1"],
            [Seen(Pod("p1", $"{A};", [1]), 1), Seen(Pod("p2", $"{A};", [1]), 2)],
            [Listed("p2", "c0")]));

    [Fact]
    public void Containers_come_in_the_order_of_the_spec()
    {
        var pod = Seen(Pod("p", $"{A};;{B};", [1, 0, 1]));
        Assert.Equal("p/c0", Owner(["GPU-a-0"], [pod], [Listed("p", "c0", "c1", "c2")]));
        served.Add((pod.Uid, "c0"));
        Assert.Equal("p/c2", Owner(["GPU-b-0"], [pod], [Listed("p", "c0=GPU-a-0", "c1", "c2")]));
    }

    [Fact]
    public void Init_containers_come_first_and_an_app_container_may_get_the_same_ids_again()
    {
        var pod = Seen(Pod("p", $"{A};{A};", [1], [1]));
        Assert.Equal("p/i0", Owner(["GPU-a-0"], [pod], [Listed("p", "c0")]));
        served.Add((pod.Uid, "i0"));
        Assert.Equal("p/c0", Owner(["GPU-a-0"], [pod], [Listed("p", "c0")]));
    }

    [Fact]
    public void An_app_container_with_devices_tells_that_the_init_containers_are_through() =>
        Assert.Equal("p/c1", Owner(["GPU-b-0"],
            [Seen(Pod("p", $"{A};{A};{B};", [1, 1], [1]))],
            [Listed("p", "c0=GPU-a-0", "c1")]));

    [Fact]
    public void The_kubelet_asks_again_for_a_container_whose_answer_it_lost()
    {
        var pod = Seen(Pod("p", $"{A};{B};", [1, 1]));
        served.Add((pod.Uid, "c0"));
        Assert.Equal("p/c0", Owner(["GPU-a-0"], [pod], [Listed("p", "c0", "c1")]));
    }

    [Fact]
    public void Without_a_listing_the_oldest_pod_not_fully_served_is_taken()
    {
        PodOnNode[] pods = [Seen(Pod("p2", $"{A};", [1]), 2), Seen(Pod("p1", $"{A};{B};", [1, 1]), 1), Seen(Pod("p0", $"{A};", [1]), 0)];
        served.Add(("uid-p0", "c0"));
        served.Add(("uid-p1", "c0"));
        Assert.Equal("p1/c1", Owner(["GPU-b-0"], pods, null));
    }

    [Fact]
    public void Of_several_listed_the_one_whose_cards_the_ids_name_is_taken() =>
        Assert.Equal("p1/c0", Owner(["GPU-a-0"],
            [Seen(Pod("p1", $"{A};", [1]), 1), Seen(Pod("p2", $"{B};", [1]), 2)],
            [Listed("p1", "c0"), Listed("p2", "c0")]));

    [Fact]
    public void Two_requests_in_one_call_are_two_containers()
    {
        var pod = Seen(Pod("p", $"{A};{B};", [1, 1]));
        var owner = WhoseAllocate.Find(["GPU-b-0"], [pod], [Listed("p", "c0", "c1")], (_, _) => false, new HashSet<(string, string)> { (pod.Uid, "c0") });
        Assert.Equal("c1", owner!.Container.Name);
    }

    [Fact]
    public void A_count_that_fits_nobody_still_names_the_pod_that_must_fail() =>
        Assert.Equal("p/c0", Owner(["GPU-a-0", "GPU-a-1"], [Seen(Pod("p", $"{A};", [1]))], [Listed("p", "c0")]));

    [Fact]
    public void A_pod_that_was_served_before_is_only_a_second_choice_and_never_without_a_listing()
    {
        var old = Seen(Pod("old", $"{A};", [1], phase: BindPhases.Success));
        var certain = WhoseAllocate.Find(["GPU-a-0"], [old], [Listed("old", "c0")], (_, _) => false)!.Certain;
        Assert.False(certain);
        Assert.Null(Owner(["GPU-a-0"], [old], null));
    }

    [Theory]
    [InlineData(BindPhases.Failed)]
    [InlineData("")]
    public void A_pod_in_any_other_phase_gets_nothing(string phase) =>
        Assert.Null(Owner(["GPU-a-0"], [Seen(Pod("p", $"{A};", [1], phase: phase))], [Listed("p", "c0")]));

    [Fact]
    public void A_pod_without_an_allocation_gets_nothing_and_neither_does_the_pod_behind_it() =>
        Assert.Null(Owner(["GPU-a-0"],
            [Seen(Pod("foreign", null, [1]), 1), Seen(Pod("p", $"{A};", [1]), 2)],
            [Listed("foreign", "c0")]));

    private string? Owner(string[] ids, PodOnNode[] pods, ListedPod[]? listing) =>
        WhoseAllocate.Find(ids, pods, listing, (uid, container) => served.Contains((uid, container))) is { } owner
            ? $"{owner.Pod.Name}/{owner.Container.Name}"
            : null;
}
