using System.Collections.Immutable;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.Tests.Partitioning;

/// <summary>What is published of MIG devices that others made.</summary>
public sealed class PlanningStaticMig
{
    private static readonly SeenMigCard A = new("GPU-a", 0, InMigMode: true);
    private static readonly SeenMigCard B = new("GPU-b", 1, InMigMode: true);
    private static readonly SeenMigCard Whole = new("GPU-c", 2, InMigMode: false);

    [Fact]
    [Trait("Scoreboard", "E10")]
    public void Each_strategy_publishes_its_resources()
    {
        SeenMigDevice[] alike = [Device("MIG-1", A, "1g.5gb"), Device("MIG-2", B, "1g.5gb")];
        SeenMigDevice[] mixed = [Device("MIG-1", A, "1g.5gb+me"), Device("MIG-2", B, "3g.20gb"), Device("MIG-3", B, "1c.3g.20gb", part: true)];

        Assert.Equal("", Of(MigStrategy.None, [A, B], alike));
        Assert.Equal("nvidia.com/gpu MIG-1,MIG-2", Of(MigStrategy.Single, [A, B], alike));
        Assert.Equal("nvidia.com/mig-1g.5gb MIG-1,MIG-2", Of(MigStrategy.Mixed, [A, B], alike));
        Assert.Equal("nvidia.com/mig-1g.5gb.me MIG-1; nvidia.com/mig-3g.20gb MIG-2", Of(MigStrategy.Mixed, [A, B, Whole], mixed));
        Assert.Equal("", Of(MigStrategy.Single, [Whole], []));
    }

    [Fact]
    [Trait("Scoreboard", "E10")]
    public void Single_says_what_does_not_fit_and_publishes_nothing()
    {
        Says("wants all cards of a node in MIG mode or none, but GPU-c is not", [A, Whole], [Device("MIG-1", A, "1g.5gb")]);
        Says("wants MIG devices on every card, but GPU-b has none", [A, B], [Device("MIG-1", A, "1g.5gb")]);
        Says("MIG-1 is a 1g.5gb and MIG-2 a 3g.20gb", [A], [Device("MIG-1", A, "1g.5gb"), Device("MIG-2", A, "3g.20gb")]);

        static void Says(string what, SeenMigCard[] cards, SeenMigDevice[] devices)
        {
            var plan = Plan(MigStrategy.Single, cards, devices, HiddenCards.None);
            Assert.Empty(plan.Resources);
            Assert.Contains(what, Assert.Single(plan.Faults), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_the_nodes_settings_hide_is_not_there()
    {
        SeenMigDevice[] devices = [Device("MIG-1", A, "1g.5gb"), Device("MIG-2", B, "1g.5gb"), Device("MIG-3", B, "1g.5gb")];
        Assert.Equal("MIG-2", string.Join(',', Plan(MigStrategy.Mixed, [A, B], devices, new(["MIG-3"], [0])).Resources.Single().Devices.Select(d => d.Uuid)));
        // A card that is hidden spoils nothing for the others.
        Assert.Single(Plan(MigStrategy.Single, [A, Whole], [devices[0]], new([Whole.Uuid], [])).Resources);
    }

    [Fact]
    public void Mixed_says_which_cards_and_devices_are_left_out()
    {
        var plan = Plan(MigStrategy.Mixed, [A, B], [Device("MIG-3", B, "1c.3g.20gb", part: true)], HiddenCards.None);
        Assert.Empty(plan.Resources);
        Assert.Equal(2, plan.Faults.Length);
        Assert.Contains("GPU-a is in MIG mode and has no MIG device", plan.Faults[0], StringComparison.Ordinal);
        Assert.Contains("MIG-3 (1c.3g.20gb) is not published", plan.Faults[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 1, 4864, 40, "1g.5gb")]
    [InlineData(7, 1, 4864, 40, "1g.5gb+me")]
    [InlineData(9, 1, 9856, 40, "1g.10gb")]
    [InlineData(1, 2, 9856, 40, "2g.10gb")]
    [InlineData(2, 3, 19968, 40, "3g.20gb")]
    [InlineData(4, 7, 40192, 40, "7g.40gb")]
    [InlineData(0, 1, 9728, 80, "1g.10gb")]
    [InlineData(4, 7, 80384, 80, "7g.80gb")]
    [InlineData(0, 1, 5952, 24, "1g.6gb")]
    [InlineData(3, 4, 24192, 24, "4g.24gb")]
    public void Profiles_have_the_names_of_NVIDIAs_tools(int number, int slices, int memoryMiB, int cardGiB, string name) =>
        Assert.Equal(name, MigProfile.NameOf((uint)number, (uint)slices, (ulong)memoryMiB, (ulong)cardGiB << 30));

    [Fact]
    public void The_nodes_of_instances_are_found_in_the_drivers_list()
    {
        var list = MigCapabilities.Parse("""
            config 1
            monitor 2
            gpu0/gi1/access 12
            gpu0/gi1/ci0/access 13
            gpu0/gi1/ci0/access 99
            gpu10/gi14/ci7/access 1310
            gpu0/gi1/ci0 14
            oops
            gpu0/gi2/access much
            """);
        Assert.Equal(5, list.Minors.Count);
        Assert.Equal("/dev/nvidia-caps/nvidia-cap12", list.Of(0, 1, null));
        Assert.Equal("/dev/nvidia-caps/nvidia-cap13", list.Of(0, 1, 0));
        Assert.Equal("/dev/nvidia-caps/nvidia-cap1310", list.Of(10, 14, 7));
        Assert.Null(list.Of(0, 2, null));
        Assert.Equal(["/dev/nvidia0", "/dev/nvidia-caps/nvidia-cap12", "/dev/nvidia-caps/nvidia-cap13"], Device("MIG-1", A, "1g.5gb").Nodes(list));
        Assert.Equal(["/dev/nvidia0"], Device("MIG-1", A, "1g.5gb").Nodes(MigCapabilities.Read("/nowhere")));
    }

    private static string Of(MigStrategy strategy, SeenMigCard[] cards, SeenMigDevice[] devices) =>
        string.Join("; ", Plan(strategy, cards, devices, HiddenCards.None).Resources.Select(r => $"{r.Name} {string.Join(',', r.Devices.Select(d => d.Uuid))}"));

    private static StaticMig Plan(MigStrategy strategy, SeenMigCard[] cards, SeenMigDevice[] devices, HiddenCards hidden) =>
        StaticMig.Of(new() { MigStrategy = strategy, Hidden = hidden }, new([.. cards], [.. devices]), "nvidia.com/gpu");

    private static SeenMigDevice Device(string uuid, SeenMigCard card, string profile, bool part = false) => new(
        uuid, card.Uuid, card.Index, card.Index, null, 0, 1, 0, profile,
        new NvmlAttributes { GpuInstanceSliceCount = 3, ComputeInstanceSliceCount = part ? 1u : 3u, MemorySizeMiB = (ulong)profile.Length });
}
