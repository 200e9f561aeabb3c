using Hami.NodeAgent.Partitioning;
using static Hami.Tests.Partitioning.MigGiven;

namespace Hami.Tests.Partitioning;

/// <summary>What is decided about each instance of a card.</summary>
public sealed class SettlingInstances
{
    private static readonly MigPod P = Pod("p", "c: 2g.10gb 2+2");
    private static readonly MigPod Ended = P with { Over = true };
    private static readonly MadeInstance Fact = Entry(P, "2g.10gb 2+2", 0, "MIG-1");
    private static readonly MadeInstance Intent = Entry(P, "2g.10gb 2+2");
    private static readonly GpuInstance Whole = There("2g.10gb 2+2", 0, "MIG-1");
    private static readonly GpuInstance Half = There("2g.10gb 2+2", 0, null);

    [Fact]
    [Trait("Node", "case 42")]
    [Trait("Scoreboard", "E06")]
    public void An_instance_whose_pod_has_ended_or_is_gone_is_destroyed()
    {
        Assert.Equal([new MigStep.Destroy(Whole, Fact, "pod default/p has ended")], Decide([Whole], [Fact], [Ended]));
        Assert.Equal([new MigStep.Destroy(Whole, Fact, "pod default/p is gone")], Settlement.Decide([Whole], [Fact], [], new HashSet<string> { P.Uid }));
    }

    [Fact]
    [Trait("Node", "case 42")]
    public void An_instance_of_a_pod_that_is_only_unknown_stays() => Assert.Empty(Decide([Whole], [Fact], []));

    [Fact]
    public void An_instance_with_a_process_on_it_waits_and_the_others_do_not()
    {
        var q = Pod("q", "c: 1g.5gb 6+1") with { Over = true };
        var busy = Whole with { InUse = true };
        var idle = There("1g.5gb 6+1", 1, "MIG-2");
        var other = Entry(q, "1g.5gb 6+1", 1, "MIG-2");
        Assert.Equal(
            [new MigStep.Wait(busy, Fact, "pod default/p has ended"), new MigStep.Destroy(idle, other, "pod default/q has ended")],
            Decide([busy, idle], [Fact, other], [Ended, q]));
    }

    [Fact]
    public void A_half_made_instance_goes_with_its_pod_and_stays_while_it_may_be_asked_for_again()
    {
        Assert.Empty(Decide([Half], [Intent], [P]));
        Assert.Equal([new MigStep.Destroy(Half, Intent, "pod default/p has ended")], Decide([Half], [Intent], [Ended]));
    }

    [Fact]
    public void What_was_made_but_not_written_down_is_written_down() =>
        Assert.Equal([new MigStep.Adopt(Intent, Fact)], Decide([Whole], [Intent], [P]));

    [Fact]
    public void What_was_only_intended_or_has_vanished_is_forgotten()
    {
        Assert.Equal([new MigStep.Forget(Intent)], Decide([], [Intent], [P]));
        Assert.Equal([new MigStep.Forget(Fact)], Decide([], [Fact], [P]));
        Assert.Equal([new MigStep.Forget(Fact)], Decide([There("2g.10gb 2+2", 0, "MIG-others")], [Fact], [Ended]));
        Assert.Equal([new MigStep.Forget(Fact)], Decide([There("2g.10gb 2+2", 3, "MIG-1")], [Fact], [Ended]));
    }

    [Fact]
    [Trait("Node", "case 43")]
    public void An_instance_that_a_live_pods_annotation_names_is_adopted_whatever_stands_on_other_pods()
    {
        var told = P.Told([Fact]);
        var pending = Pod("pending", "c: 1g.5gb 5+1");
        var unreadable = Pod("unreadable");
        Assert.Equal([new MigStep.Adopt(null, Fact)], Decide([Whole], [], [pending, unreadable, told]));
        Assert.Empty(Decide([Whole], [], [told with { Over = true }]));
        Assert.Empty(Decide([Whole], [], [told with { Trusted = false }]));
        Assert.Empty(Decide([There("2g.10gb 2+2", 0, "MIG-9")], [], [told]));
        Assert.Empty(Decide([There("2g.10gb 2+2", 7, "MIG-1")], [], [told]));
        Assert.Empty(Decide([There("2g.10gb 4+2", 0, "MIG-1")], [], [told]));
    }

    [Fact]
    public void What_others_made_is_left_alone() => Assert.Empty(Decide([There("7g.40gb 0+8", 0, "MIG-static")], [], [P, Ended]));

    [Fact]
    public void An_init_containers_own_instance_goes_when_the_scheduler_gives_its_slices_away()
    {
        var p = Pod("p", "i: 3g.20gb 4+4", "c: 1g.5gb 0+1");
        var init = Entry(p, "3g.20gb 4+4", 0, "MIG-1");
        var app = Entry(p, "1g.5gb 0+1", 1, "MIG-2");
        GpuInstance[] there = [There("3g.20gb 4+4", 0, "MIG-1"), There("1g.5gb 0+1", 1, "MIG-2")];
        Assert.Empty(Decide(there, [init, app], [p]));
        Assert.Equal([new MigStep.Destroy(there[0], init, "the init containers of pod default/p have ended")], Decide(there, [init, app], [p with { InitsEnded = true }]));
    }

    private static IReadOnlyList<MigStep> Decide(IReadOnlyList<GpuInstance> there, IReadOnlyList<MadeInstance> made, IReadOnlyList<MigPod> pods) =>
        Settlement.Decide(there, made, pods, Nobody);
}
