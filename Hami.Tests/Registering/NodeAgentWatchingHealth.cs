using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Registering.Health;
using Hami.Tests.Given;
using static Hami.Tests.Allocating.AgentOnANode;

namespace Hami.Tests.Registering;

/// <summary>The whole agent over the pretended NVML: cards that fall ill and recover.</summary>
[Trait("Scoreboard", "F04")]
public sealed class NodeAgentWatchingHealth
{
    private const string A = "GPU-00000000-0000-0000-0000-00000000000a";
    private const string B = "GPU-00000000-0000-0000-0000-00000000000b";

    [Fact]
    [Trait("Scoreboard", "F04")]
    public async Task Case_17_a_critical_error_makes_its_card_ill_with_all_replicas_and_no_other_and_it_recovers()
    {
        using var cards = new PretendedCards($"{A};T4;16384;40", $"{B};T4;16384;40");
        await using var node = await AgentWithNvml.Start(cards, options => options with { Given = new() { SplitCount = 2 }, HealthRecovery = TimeSpan.FromSeconds(2) });
        await Eventually(() => node.Published.Count == 2 && node.Kubelet.Health.Count == 4 && node.AllListening(2));

        var last = node.Room<LastXids>();
        Assert.Equal((0, 0, null), (last.Of(A), last.Of(B), last.Of("GPU-c")));
        cards.Xid(B, 31);
        cards.Xid(A, 79);

        await Eventually(() => node.Known == $"{A}-0=Unhealthy {A}-1=Unhealthy {B}-0=Healthy {B}-1=Healthy");
        await Eventually(() => node.Published is [{ Health: false }, { Health: true }]);
        Assert.Contains($"The card {A} is unhealthy: XID 79", node.Log);
        // One that does not count against the card was its last all the same.
        await Eventually(() => (last.Of(A), last.Of(B)) == (79, 31));

        await Eventually(() => node.Kubelet.Health.Values.All(h => h == "Healthy") && node.Published is [{ Health: true }, { Health: true }]);
        Assert.Equal(3, node.Api.NodePatches);
    }

    [Fact]
    [Trait("Scoreboard", "F04")]
    public async Task Case_18_with_all_checks_off_nothing_is_listened_for()
    {
        using var cards = new PretendedCards($"{A};T4;16384;40");
        await using var node = await AgentWithNvml.Start(cards, options => options with { XidRules = XidRules.Of("all", null) });
        await Eventually(() => node.Published.Count == 1);
        cards.Xid(A, 79);
        await Task.Delay(300);
        Assert.False(node.AllListening(1));
        Assert.True(node.Published.Single().Health);
        Assert.Null(node.Room<LastXids>().Of(A));
    }

    [Fact]
    public async Task Case_19_a_card_too_old_to_tell_of_errors_is_well_and_one_whose_errors_cannot_be_watched_is_not()
    {
        using var cards = new PretendedCards($"{A};T4;16384;40;events=unsupported", $"{B};T4;16384;40");
        cards.Fail("nvmlDeviceRegisterEvents:0:999");
        await using var node = await AgentWithNvml.Start(cards);

        await Eventually(() => node.Published is [{ Health: true }, { Health: false }]);
        Assert.Single(node.Log, l => l.StartsWith($"The card {B} is unhealthy: its errors cannot be watched: nvmlDeviceRegisterEvents answered 999", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_driver_that_goes_away_makes_all_cards_ill_once_and_those_it_has_when_it_is_back_are_well()
    {
        using var cards = new PretendedCards($"{A};T4;16384;40", $"{B};T4;16384;40");
        await using var node = await AgentWithNvml.Start(cards, options => options with { HealthRecovery = TimeSpan.Zero });
        await Eventually(() => node.Published.Count == 2 && node.Kubelet.Health.Count == 20 && node.AllListening(2));
        cards.Xid(A, 79);
        await Eventually(() => node.Published is [{ Health: false }, { Health: true }]);

        cards.Lost = true;
        await Eventually(() => node.Published is [{ Health: false }, { Health: false }]);
        await Task.Delay(1000);
        Assert.Single(node.Log, l => l.StartsWith("NVML does not answer (", StringComparison.Ordinal));
        Assert.All(node.Kubelet.Health.Values, h => Assert.Equal("Unhealthy", h));

        // One of them did not come back: it is ill, not forgotten.
        await File.WriteAllLinesAsync(cards.Cards, [$"{A};T4;16384;40"]);
        cards.Lost = false;
        await Eventually(() => node.Published is [{ Health: true }, { Health: false }]);
        Assert.Contains($"The card {B} is unhealthy: NVML does not list it any more", node.Log);
        Assert.True(node.Api.NodePatches == 4, $"{node.Api.NodePatches} patches:\n{string.Join('\n', node.Log)}");
    }

    [Fact]
    public void Case_20_a_MIG_device_that_NVML_does_not_know_is_told_with_NVMLs_reason_unless_its_name_says_enough()
    {
        using var cards = new PretendedCards($"{A};NVIDIA A100-SXM4-40GB;40960;108;mig=on");
        using var nvml = cards.Open();
        var refused = Assert.Throws<NvmlException>(() => InstanceIdentity.Of("MIG-00000000-0000-0000-0000-0000000000ff", nvml));
        Assert.Contains("nvmlDeviceGetHandleByUUID answered 6", refused.Message, StringComparison.Ordinal);
        Assert.Equal(new(A, 3, 0), InstanceIdentity.Of($"MIG-{A}/3/0", nvml));

        var card = nvml.ByIndex(0);
        var instance = nvml.CreateGpuInstance(card, nvml.GpuInstanceProfile(card, 2).Id, new(4, 4));
        nvml.CreateComputeInstance(instance, nvml.ComputeInstanceProfile(instance, 2).Id);
        Assert.Equal(new(A, nvml.Of(instance).Id, 0), InstanceIdentity.Of(nvml.Uuid(nvml.MigDevice(card, 0)), nvml));
    }
}
