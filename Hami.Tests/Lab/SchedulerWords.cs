using Hami.Lab.Scheduler;

namespace Hami.Tests.Lab;

/// <summary>What kube-scheduler says about a pod that fits nowhere; the first case is recorded from a real one.</summary>
public sealed class SchedulerWords
{
    [Fact]
    public void Equal_reasons_are_counted_together() =>
        Assert.Equal(
            "0/3 nodes are available: 3 8/8 CardInsufficientMemory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.",
            Unschedulable.Sentence(3, [Refused("8/8 CardInsufficientMemory"), Refused("8/8 CardInsufficientMemory"), Refused("8/8 CardInsufficientMemory")]));

    [Fact]
    public void Different_reasons_are_sorted_and_final_ones_make_preemption_unhelpful() =>
        Assert.Equal(
            "0/3 nodes are available: 1 node(s) were unschedulable, 2 a. no new claims to deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.",
            Unschedulable.Sentence(3, [Refused("a"), new Refusal("node(s) were unschedulable", Final: true), Refused("a")]));

    [Fact]
    public void Without_any_node_the_sentence_says_so() =>
        Assert.Equal("no nodes available to schedule pods", Unschedulable.Sentence(0, []));

    private static Refusal Refused(string text) => new(text, Final: false);
}
