using Hami.Lab.Scheduler;

namespace Hami.Tests.Lab;

/// <summary>What kube-scheduler says about a pod that fits nowhere; the first case is recorded from a real one.</summary>
public sealed class SchedulerWords
{
    [Fact]
    public void Equal_reasons_are_counted_together() =>
        Assert.Equal(
            "0/3 nodes are available: 3 8/8 CardInsufficientMemory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.",
            Unschedulable.Sentence(
                3,
                Enumerable.Repeat("8/8 CardInsufficientMemory", 3),
                Unschedulable.NoRoomMade(Unschedulable.Counted(3, Enumerable.Repeat("No preemption victims found for incoming pod", 3)))));

    [Fact]
    public void Reasons_are_sorted_as_texts_with_their_counts() =>
        Assert.Equal(
            "0/12 nodes are available: 1 node(s) were unschedulable, 10 b, 2 a.",
            Unschedulable.Sentence(12, [.. Enumerable.Repeat("b", 10), "a", "node(s) were unschedulable", "a"], ""));

    [Fact]
    public void Nodes_without_a_reason_are_not_mentioned() =>
        Assert.Equal(
            "0/2 nodes are available: no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
            Unschedulable.Sentence(2, [], Unschedulable.NoRoomMade(Unschedulable.Counted(2, ["Preemption is not helpful for scheduling", "Preemption is not helpful for scheduling"]))));

    [Fact]
    public void While_room_is_made_nothing_is_said_about_it() =>
        Assert.Equal("0/1 nodes are available: 1 Insufficient cpu.", Unschedulable.Sentence(1, ["Insufficient cpu"], ""));
}
