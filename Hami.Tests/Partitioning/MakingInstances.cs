using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing.Nvml;
using Microsoft.Extensions.Logging.Abstractions;
using static Hami.Tests.Partitioning.MigGiven;

namespace Hami.Tests.Partitioning;

/// <summary>Cutting a card for one container.</summary>
public sealed class MakingInstances
{
    private static readonly MigPod P = Pod("p", "c: 2g.10gb 2+2");

    private readonly FakeMigCards cards = new("GPU-a", "GPU-b");
    private readonly FakeMigBook book = new();
    private readonly Partitioner partitioner;

    public MakingInstances() => partitioner = new(cards, book, NullLogger<Partitioner>.Instance);

    [Fact]
    [Trait("Node", "case 39")]
    [Trait("Scoreboard", "E04")]
    public void One_instance_is_made_at_the_reserved_place_and_asked_again_it_is_the_same()
    {
        var made = Assert.Single(partitioner.Make(P, "c"));

        var there = Assert.Single(cards.All);
        Assert.Equal((Seat("2g.10gb 2+2"), 0), (there.Seat, there.Id));
        Assert.Equal((0, 0, there.Parts.Single().Uuid), (made.GpuInstance, made.ComputeInstance, made.Uuid));
        Assert.Equal([made], book.Made);
        Assert.Equal(
            $$"""[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"2g.10gb","placement":{"start":2,"size":2},"migUUID":"{{made.Uuid}}","gpuInstanceID":0,"computeInstanceID":0}]""",
            MigRecords.Told(P, book.Made));
        var changes = cards.Changes;
        Assert.Equal([made], partitioner.Make(P, "c"));
        Assert.Equal(changes, cards.Changes);
    }

    [Theory]
    [Trait("Node", "case 40")]
    [InlineData("CreateGpuInstance", 2)]
    [InlineData("CreateComputeInstance", 1)]
    [InlineData("CreateComputeInstance", 2)]
    [InlineData("Uuid", 2)]
    [InlineData("Places", 2)]
    [InlineData("Mode", 2)]
    [InlineData("Write", 2)]
    [InlineData("Write", 4)]
    public void Whatever_fails_nothing_of_the_call_remains(string call, int nth)
    {
        var kept = partitioner.Make(Pod("kept", "c: 1g.5gb 6+1"), "c");
        FailAt(call, nth);

        var refusal = Assert.Throws<MigRefusal>(() => partitioner.Make(Pod("two", "c: 2g.10gb 0+2", "c: GPU-b 3g.20gb 4+4"), "c"));

        Assert.Contains("default/two", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(kept, book.Made);
        Assert.Equal(kept[0].Uuid, Assert.Single(cards.All).Parts[0].Uuid);
    }

    [Fact]
    [Trait("Node", "case 40")]
    public void A_place_that_NVML_does_not_offer_is_refused_with_a_sentence_and_nothing_is_made()
    {
        var refusal = Assert.Throws<MigRefusal>(() => partitioner.Make(Pod("p", "c: 2g.10gb 1+2"), "c"));
        Assert.StartsWith("Pod default/p was given 2g.10gb at memory slices 1 to 2 of card GPU-a, which NVML does not offer there", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(cards.All);
        Assert.Empty(book.Made);
    }

    [Fact]
    public void Slices_that_others_took_are_named_and_left_alone()
    {
        var foreign = cards.Foreign(Seat("3g.20gb 0+4"));
        var refusal = Assert.Throws<MigRefusal>(() => partitioner.Make(P, "c"));
        Assert.Contains("3g.20gb at memory slices 0 to 3 of card GPU-a (GPU instance 0) was made by others than this agent", refusal.Message, StringComparison.Ordinal);
        Assert.Null(refusal.InTheWay);
        Assert.Equal([foreign], cards.All);
    }

    [Fact]
    public void Slices_of_our_own_are_told_with_their_pod_and_are_free_once_that_is_over()
    {
        var q = Pod("q", "c: 7g.40gb 0+8");
        var old = Assert.Single(partitioner.Make(q, "c"));

        Assert.Equal(old, Assert.Throws<MigRefusal>(() => partitioner.Make(P, "c")).InTheWay);
        Assert.True(partitioner.Settle("GPU-a", [q with { Over = true }, P], Nobody));
        Assert.NotEqual(old.Uuid, Assert.Single(partitioner.Make(P, "c")).Uuid);
    }

    [Fact]
    public void An_instance_that_somebody_destroyed_is_noticed_and_made_anew()
    {
        var first = Assert.Single(partitioner.Make(P, "c"));
        cards.Vanish(first.Uuid!);

        var second = Assert.Single(partitioner.Make(P, "c"));

        Assert.NotEqual(first.Uuid, second.Uuid);
        Assert.Equal([second], book.Made);
    }

    [Fact]
    [Trait("Scoreboard", "E07")]
    public void An_instance_that_the_pods_annotation_names_is_taken_over_though_the_book_is_lost()
    {
        var made = partitioner.Make(P, "c");
        var fresh = new FakeMigBook();

        var again = new Partitioner(cards, fresh, NullLogger<Partitioner>.Instance).Make(P.Told(made), "c");

        Assert.Equal(made, again);
        Assert.Equal(made, fresh.Made);
    }

    [Theory]
    [InlineData(1, "Write", false)]
    [InlineData(1, "CreateGpuInstance", true)]
    [InlineData(1, "CreateComputeInstance", false)]
    [InlineData(1, "CreateComputeInstance", true)]
    [InlineData(2, "Write", false)]
    public void Killed_anywhere_the_next_agent_completes_what_is_asked_again_or_removes_it(int nth, string call, bool after)
    {
        KillAt(call, nth, after);
        Assert.Throws<Killed>(() => partitioner.Make(P, "c"));
        cards.On = null;
        book.On = null;

        var next = new Partitioner(cards, book, NullLogger<Partitioner>.Instance);
        var made = Assert.Single(next.Make(P, "c"));
        Assert.Equal(made.Uuid, Assert.Single(cards.All).Parts.Single().Uuid);
        next.Settle("GPU-a", [P with { Over = true }], Nobody);
        Assert.Empty(cards.All);
        Assert.Empty(book.Made);
    }

    [Fact]
    [Trait("Node", "case 42")]
    public void An_error_on_one_instance_holds_up_no_other_and_it_is_tried_again()
    {
        var q = Pod("q", "c: 1g.5gb 6+1");
        var busy = Assert.Single(partitioner.Make(P, "c"));
        partitioner.Make(q, "c");
        MigPod[] over = [P with { Over = true }, q with { Over = true }];
        cards.Use(busy.Uuid!, true);

        Assert.False(partitioner.Settle("GPU-a", over, Nobody));
        Assert.Equal([busy], book.Made);
        partitioner.Make(Pod("r", "c: 1g.5gb 6+1"), "c");
        cards.Use(busy.Uuid!, false);
        Assert.True(partitioner.Settle("GPU-a", over, Nobody));
        Assert.Equal("default/r", Assert.Single(book.Made).Pod);
    }

    [Fact]
    public void An_instance_that_is_gone_already_is_as_good_as_destroyed()
    {
        partitioner.Make(P, "c");
        FailAt("DestroyGpuInstance", 1, NvmlResult.NotFound);
        Assert.True(partitioner.Settle("GPU-a", [P with { Over = true }], Nobody));
        Assert.Empty(book.Made);
    }

    [Theory]
    [InlineData(false, false, false, null)]
    [InlineData(true, true, true, null)]
    [InlineData(true, true, false, "leaves MIG mode at its next reset")]
    [InlineData(true, false, true, "enters MIG mode only at its next reset")]
    public void Only_a_card_that_is_in_MIG_mode_and_stays_so_is_cut(bool supported, bool current, bool pending, string? obstacle)
    {
        cards.Set("GPU-a", new(supported, current, pending));
        if (obstacle is null)
            Assert.Single(partitioner.Make(P, "c"));
        else
            Assert.Contains(obstacle, Assert.Throws<MigRefusal>(() => partitioner.Make(P, "c")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_card_out_of_MIG_mode_is_put_into_it_and_refused_when_that_needs_a_reset()
    {
        cards.Set("GPU-a", new(true, false, false));
        Assert.Single(partitioner.Make(P, "c"));
        cards.Set("GPU-b", new(true, false, false));
        cards.EnabledMode = new(true, false, true);
        Assert.Contains("could not be put into MIG mode at once", Assert.Throws<MigRefusal>(() => partitioner.Make(Pod("b", "c: GPU-b 2g.10gb 0+2"), "c")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_init_container_shares_the_instance_of_the_container_that_has_its_slices_later()
    {
        var p = Pod("p", "i: 1g.5gb 6+1", "c: 3g.20gb 4+4");

        var init = Assert.Single(partitioner.Make(p, "i"));
        var app = Assert.Single(partitioner.Make(p, "c"));

        Assert.Equal(init, app);
        Assert.Equal("3g.20gb", app.Seat.Profile);
        Assert.False(app.OnlyForInits);
        Assert.Equal(2, p.Told(book.Made).Reservations.Count(r => r.Record.MigUuid == app.Uuid));
    }

    [Fact]
    public void Init_and_app_containers_that_need_the_same_slices_differently_are_refused_with_a_sentence()
    {
        var p = Pod("p", "i: 3g.20gb 4+4", "c: 1g.5gb 6+1");
        Assert.Contains("Containers i and c of pod default/p are to have 3g.20gb and 1g.5gb in the same slices", Assert.Throws<MigRefusal>(() => partitioner.Make(p, "i")).Message, StringComparison.Ordinal);
        Assert.Empty(cards.All);
    }

    private void FailAt(string call, int nth, NvmlResult with = NvmlResult.Unknown)
    {
        Action<string, bool> fail = (name, after) =>
        {
            if (name == call && !after && --nth == 0)
                throw call == "Write" ? new IOException("disk full") : new NvmlException(name, with, "told to fail");
        };
        cards.On = fail;
        book.On = fail;
    }

    private void KillAt(string call, int nth, bool afterIt)
    {
        Action<string, bool> kill = (name, after) =>
        {
            if (name == call && after == afterIt && --nth == 0)
                throw new Killed();
        };
        cards.On = kill;
        book.On = kill;
    }
}
