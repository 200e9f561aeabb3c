using CsCheck;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Registering.Health;
using static Hami.NodeAgent.Registering.Health.HealthNews;

namespace Hami.Tests.Registering;

/// <summary>What the driver's errors say of a card, and when it is well again.</summary>
[Trait("Scoreboard", "F04")]
public sealed class KnowingIllCards
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(10);

    [Theory]
    [InlineData(null, null, "79 48 94 1", "13 31 43 45 68 109")]
    [InlineData("79, x,,68 ", null, "48", "79 68 13 31")]
    [InlineData("ALL", null, "", "79 13 48")]
    [InlineData("48,xids", null, "", "79 13 48")]
    [InlineData(null, "31", "31 79", "13")]
    [InlineData("79,31", "31", "31 48", "79")]
    [InlineData("79", "all", "79 13 31", "")]
    [InlineData("all", "79", "79", "48 13")]
    [InlineData("", "", "79", "13")]
    [Trait("Scoreboard", "F04")]
    public void Case_17_and_18_errors_of_programs_and_those_that_are_turned_off_do_not_count(string? disable, string? enable, string count, string ignored)
    {
        var rules = XidRules.Of(disable, enable);
        Assert.All(Numbers(count), xid => Assert.True(rules.Count(xid)));
        Assert.All(Numbers(ignored), xid => Assert.False(rules.Count(xid)));
    }

    [Theory]
    [InlineData("all", null, true)]
    [InlineData("xids", null, true)]
    [InlineData("all", "79", false)]
    [InlineData("all", "all", false)]
    [InlineData("79", null, false)]
    public void Case_18_all_turns_the_checker_off_and_a_single_error_turned_on_revives_it(string? disable, string? enable, bool off) =>
        Assert.Equal(off, XidRules.Of(disable, enable).Off);

    [Fact]
    public void Case_17_an_error_of_one_card_is_no_other_cards()
    {
        var health = Well("GPU-a", "GPU-b").Told(Error("GPU-a"), At(0), Quiet);
        Assert.Equal(("XID 79", null), (Against(health, "GPU-a", 0), Against(health, "GPU-b", 0)));
        Assert.Equal(health, health.Told(Error("GPU-of-nobody"), At(0), Quiet));
    }

    [Fact]
    public void A_card_is_well_again_after_a_while_without_another_error()
    {
        var health = Well("GPU-a").Told(Error("GPU-a"), At(0), Quiet);
        Assert.NotNull(Against(health, "GPU-a", 9));
        Assert.Null(Against(health, "GPU-a", 10));
        health = health.Told(Error("GPU-a"), At(9), Quiet);
        Assert.NotNull(Against(health, "GPU-a", 18));
        Assert.Null(Against(health, "GPU-a", 19));
    }

    [Fact]
    public void Each_relapse_within_a_day_takes_twice_as_long()
    {
        var health = Well("GPU-a").Told(Error("GPU-a"), At(0), Quiet).Told(Error("GPU-a"), At(15), Quiet);
        Assert.NotNull(Against(health, "GPU-a", 15 + 19));
        Assert.Null(Against(health, "GPU-a", 15 + 20));
        health = health.Told(Error("GPU-a"), At(60), Quiet);
        Assert.NotNull(Against(health, "GPU-a", 60 + 39));
        Assert.Null(Against(health, "GPU-a", 60 + 40));
        health = health.Told(Error("GPU-a"), At(60 + 25 * 60), Quiet);
        Assert.Null(Against(health, "GPU-a", 60 + 25 * 60 + 10));
    }

    [Fact]
    public void Where_no_time_heals_only_a_reset_does()
    {
        var health = Well("GPU-a").Told(Error("GPU-a"), At(0), TimeSpan.Zero);
        Assert.NotNull(health.Against("GPU-a", TimeSpan.FromDays(9), TimeSpan.Zero));
        health = health.Answered([], new Dictionary<string, string> { ["GPU-a"] = "GPU is lost" });
        Assert.Equal("GPU is lost", health.Against("GPU-a", At(1), TimeSpan.Zero));
        Assert.Null(health.Answered(["GPU-a"], Nobody).Against("GPU-a", At(2), TimeSpan.Zero));
    }

    [Fact]
    public void A_driver_that_was_loaded_anew_forgives_all_errors_and_one_that_only_stuttered_does_not()
    {
        var health = Well("GPU-a").Told(Error("GPU-a"), At(0), Quiet);
        Assert.NotNull(Against(health.Silent("unknown error", noDriver: false).Answered(["GPU-a"], Nobody), "GPU-a", 1));
        Assert.Null(Against(health.Silent("driver not loaded", noDriver: true).Answered(["GPU-a"], Nobody), "GPU-a", 1));
        Assert.Null(Against(health.Silent("unknown error", noDriver: false).Silent("unknown error", noDriver: false).Answered(["GPU-a"], Nobody), "GPU-a", 1));
    }

    [Fact]
    public void A_driver_that_is_silent_makes_all_cards_ill_and_those_that_answer_later_are_well()
    {
        var health = Well("GPU-a", "GPU-b").Silent("driver not loaded", noDriver: true);
        Assert.All(["GPU-a", "GPU-b"], uuid => Assert.Equal("NVML does not answer: driver not loaded", Against(health, uuid, 1)));
        health = health.Answered(["GPU-b"], Nobody);
        Assert.Equal(("NVML does not list it any more", null), (Against(health, "GPU-a", 2), Against(health, "GPU-b", 2)));
    }

    [Fact]
    public void Case_19_a_card_whose_errors_cannot_be_watched_is_ill_until_they_can()
    {
        var health = Well("GPU-a").Told(new Unwatched("GPU-a", "nvmlDeviceRegisterEvents answered 999"), At(0), Quiet);
        Assert.Equal("its errors cannot be watched: nvmlDeviceRegisterEvents answered 999", Against(health, "GPU-a", 99));
        Assert.Null(Against(health.Told(new Watched("GPU-a"), At(1), Quiet), "GPU-a", 1));
        Assert.Null(Against(health.Told(new Watched("GPU-a"), At(1), Quiet).Told(new Doubt("?"), At(1), Quiet), "GPU-a", 1));
    }

    [Fact]
    public void Case_20_the_old_form_of_a_MIG_devices_UUID_tells_its_card_and_instances()
    {
        Assert.Equal(new InstanceIdentity("GPU-03f69c50-207a-2038-9b45-23cac89cb67a", 3, 0), InstanceIdentity.Parse("MIG-GPU-03f69c50-207a-2038-9b45-23cac89cb67a/3/0"));
        Assert.All(["MIG-03f69c50-207a-2038-9b45-23cac89cb67a", "MIG-GPU-a/3", "MIG-GPU-a/3/x", "GPU-a/3/0"], other => Assert.Null(InstanceIdentity.Parse(other)));
    }

    [Theory]
    [InlineData("GPU-a", 3, 0, true)]
    [InlineData("GPU-a", 3, NvmlEvent.NoInstance, true)]
    [InlineData("GPU-a", NvmlEvent.NoInstance, NvmlEvent.NoInstance, true)]
    [InlineData("GPU-a", 4, 0, false)]
    [InlineData("GPU-a", 3, 1, false)]
    [InlineData("GPU-b", 3, 0, false)]
    public void An_error_concerns_every_MIG_device_of_the_instances_it_names(string card, uint gpuInstance, uint computeInstance, bool hit) =>
        Assert.Equal(hit, new InstanceIdentity("GPU-a", 3, 0).IsHitBy(new(card, 79, gpuInstance, computeInstance)));

    [Fact]
    public void Whatever_happens_a_card_with_a_fresh_error_is_ill_and_one_that_was_left_alone_is_well_in_the_end() =>
        Gen.Select(Gen.Int[0, 5], Gen.Int[1, 40]).List[1, 40].Sample(steps =>
        {
            var health = Well("GPU-a", "GPU-b");
            var now = TimeSpan.Zero;
            foreach (var (what, minutes) in steps)
            {
                now += TimeSpan.FromMinutes(minutes);
                health = what switch
                {
                    0 => health.Told(Error("GPU-a"), now, Quiet),
                    1 => health.Silent("gone", noDriver: minutes % 2 == 0),
                    2 => health.Answered(["GPU-a"], Nobody),
                    3 => health.Told(new Unwatched("GPU-a", "no"), now, Quiet),
                    4 => health.Told(new Watched("GPU-a"), now, Quiet),
                    _ => health.Answered(["GPU-a", "GPU-b"], Nobody),
                };
                if (what == 0 && health.Against("GPU-a", now, Quiet) is null)
                    return false;
            }
            health = health.Answered(["GPU-a", "GPU-b"], Nobody).Told(new Watched("GPU-a"), now, Quiet);
            return new[] { "GPU-a", "GPU-b" }.All(uuid => health.Against(uuid, now + Quiet * 64, Quiet) is null);
        });

    private static readonly Dictionary<string, string> Nobody = [];

    private static NodeHealth Well(params string[] uuids) => NodeHealth.New.Answered(uuids, Nobody);

    private static Xid Error(string uuid) => new(uuid, 79, NvmlEvent.NoInstance, NvmlEvent.NoInstance);

    private static TimeSpan At(int minutes) => TimeSpan.FromMinutes(minutes);

    private static string? Against(NodeHealth health, string uuid, int minutes) => health.Against(uuid, At(minutes), Quiet);

    private static IEnumerable<int> Numbers(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse);
}
