using Hami.Domain.Protocol;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;

namespace Hami.Tests.Registering;

/// <summary>From what NVML told of the cards to what is published of them.</summary>
[Trait("Scoreboard", "F01")]
public sealed class DiscoveringCards
{
    private const ulong MiB = 1024 * 1024;

    [Fact]
    [Trait("Scoreboard", "F01")]
    public void Case_1_one_card_is_told_with_all_that_NVML_knows_and_reads_the_same_where_zeros_are_left_out()
    {
        var text = Published([A100("GPU-aaa", 0) with { Numa = 0 }]);

        Assert.Equal("""[{"id":"GPU-aaa","count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100-SXM4-40GB","mode":"hami-core","health":true}]""", text);
        Assert.Equal(NodeRegister.Decode(text), NodeRegister.Decode(text.Replace("\"count\"", "\"index\":0,\"numa\":0,\"count\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_second_card_has_its_index_and_its_NUMA_node() =>
        Assert.EndsWith(
            """,{"id":"GPU-bbb","index":1,"count":10,"devmem":40960,"devcore":100,"type":"NVIDIA A100-SXM4-40GB","numa":1,"mode":"hami-core","health":true}]""",
            Published([A100("GPU-aaa", 0), A100("GPU-bbb", 1) with { Numa = 1 }]), StringComparison.Ordinal);

    [Theory]
    [InlineData(40960, 1.5, 1, 61440, 100)]
    [InlineData(24564, 1.1, 1, 27020, 100)]
    [InlineData(24564, 1, 1.15, 24564, 114)]
    public void Case_2_scaled_values_are_cut_not_rounded(long memoryMiB, double memory, double cores, long devmem, int devcore)
    {
        var device = Told([A100("GPU-a", 0) with { MemoryBytes = (ulong)memoryMiB * MiB }], new() { MemoryScaling = memory, CoreScaling = cores }).Single();
        Assert.Equal((devmem, devcore), (device.MemoryMiB, device.Cores));
    }

    [Fact]
    public void Case_2_neither_scaling_changes_a_card_in_MIG_mode()
    {
        var device = Told([Mig("NVIDIA A100-SXM4-40GB")], new() { MemoryScaling = 1.5, CoreScaling = 1.15 }).Single();
        Assert.Equal((40960, 100, "mig"), (device.MemoryMiB, device.Cores, device.Mode));
    }

    [Theory]
    [InlineData("Tesla P4", "NVIDIA-Tesla P4")]
    [InlineData("NVIDIA A30", "NVIDIA A30")]
    [InlineData("GeForce RTX 4090", "NVIDIA-GeForce RTX 4090")]
    public void Case_3_every_type_begins_with_NVIDIA(string name, string type) =>
        Assert.Equal(type, Told([A100("GPU-a", 0) with { Name = name }]).Single().Type);

    [Theory]
    [InlineData(null, 131072, 131072L)]
    [InlineData(0UL, 131072, 131072L)]
    [InlineData(null, 0, null)]
    [InlineData(0UL, 0, null)]
    [InlineData(24564 * MiB, 131072, 24564L)]
    [Trait("Scoreboard", "F16")]
    public void Case_4_a_card_that_shares_the_hosts_memory_has_what_is_configured_or_is_left_out_with_a_word(ulong? bytes, long configured, long? devmem)
    {
        var (cards, leftOut) = Discovery.Cards([A100("GPU-a", 0) with { MemoryBytes = bytes }], new() { PreConfiguredMemoryMiB = configured });

        Assert.Equal(devmem, cards.SingleOrDefault()?.MemoryMiB);
        Assert.Equal(devmem is null ? ["The card GPU-a (NVIDIA A100-SXM4-40GB) is not shared: it does not tell its memory; set preConfiguredDeviceMemory to the MiB it may share."] : [], leftOut);
    }

    [Theory]
    [InlineData("00000000:3B:00.0", "0000:3b:00.0", "1\n", 1)]
    [InlineData("00000000:3B:00.0", "0000:3b:00.0", "0\n", 0)]
    [InlineData("00000000:3B:00.0", "0000:3b:00.0", "-1\n", null)]
    [InlineData("00000000:3B:00.0", "0000:3b:00.0", "left\n", null)]
    [InlineData("00000000:3B:00.0", "0000:3c:00.0", "1\n", null)]
    [InlineData("00010000:3B:00.0", "10000:3b:00.0", "1\n", 1)]
    [InlineData("", "0000:3b:00.0", "1\n", null)]
    [Trait("Scoreboard", "F14")]
    public void Case_5_the_NUMA_node_stands_in_sysfs_under_the_cards_address(string busId, string folder, string text, int? numa)
    {
        var sysfs = Directory.CreateTempSubdirectory("hami");
        try
        {
            var device = Directory.CreateDirectory(Path.Combine(sysfs.FullName, "bus", "pci", "devices", folder));
            File.WriteAllText(Path.Combine(device.FullName, "numa_node"), text);
            Assert.Equal(numa, NvmlCards.NumaOf(busId, sysfs.FullName));
        }
        finally
        {
            sysfs.Delete(recursive: true);
        }
    }

    [Fact]
    [Trait("Scoreboard", "F03")]
    [Trait("Scoreboard", "F14")]
    public void Case_6_each_card_is_shown_as_so_many_replicas_with_its_health_and_its_NUMA_node_where_that_is_asked_for()
    {
        var card = Discovery.Cards([A100("GPU-U", 0) with { Numa = 1 }], new()).Cards[0] with { Healthy = false };

        var plain = Replicas.List([card], new() { SplitCount = 3 }).Devices;
        Assert.Equal(["GPU-U-0 Unhealthy", "GPU-U-1 Unhealthy", "GPU-U-2 Unhealthy"], plain.Select(d => $"{d.ID} {d.Health}"));
        Assert.All(plain, d => Assert.Null(d.Topology));
        Assert.All(Replicas.List([card], new() { NumaTopology = true }).Devices, d => Assert.Equal([1], d.Topology.Nodes.Select(n => n.ID)));
        Assert.All(Replicas.List([card with { Numa = null }], new() { NumaTopology = true }).Devices, d => Assert.Null(d.Topology));
        Assert.Equal(80, Replicas.List(Discovery.Cards(Enumerable.Range(0, 8).Select(i => A100($"GPU-{i}", i)), new()).Cards, new()).Devices.Count);
    }

    [Fact]
    public void Case_7_a_node_without_cards_shows_none() =>
        Assert.Empty(Replicas.List(Discovery.Cards([], new()).Cards, new()).Devices);

    [Fact]
    public void Case_8_hidden_cards_are_neither_shown_nor_published()
    {
        var settings = new NodeSettings { Hidden = new(["GPU-1"], [2]) };
        var seen = Enumerable.Range(0, 4).Select(i => A100($"GPU-{i}", i)).ToList();

        Assert.Equal([("GPU-0", 0), ("GPU-3", 3)], Told(seen, settings).Select(d => (d.Id, d.Index)));
        Assert.Equal(["GPU-0", "GPU-3"], Replicas.List(Discovery.Cards(seen, settings).Cards, settings).Devices.Select(d => Replicas.CardOf(d.ID)).Distinct());
        Assert.Empty(Discovery.Cards(seen, settings).LeftOut);
    }

    [Fact]
    public void Case_9_the_order_is_NVMLs_whatever_order_they_come_in()
    {
        var seen = Enumerable.Range(0, 8).Select(i => A100($"GPU-{i}", i)).ToArray();
        var text = Published(seen);
        for (var seed = 0; seed < 20; seed++)
        {
            new Random(seed).Shuffle(seen);
            Assert.Equal(text, Published(seen));
        }
    }

    [Theory]
    [InlineData("GPU-03f69c50-207a-2038-9b45-23cac89cb67a-10", "GPU-03f69c50-207a-2038-9b45-23cac89cb67a")]
    [InlineData("GPU-03f69c50-207a-2038-9b45-23cac89cb67a", "GPU-03f69c50-207a-2038-9b45-23cac89cb67a")]
    [InlineData("GPU-03f69c50-207a-2038-9b45-239999999999", "GPU-03f69c50-207a-2038-9b45-239999999999")]
    [InlineData("X::replica-1", "X")]
    [InlineData("GPU-a-7", "GPU-a")]
    public void Case_11_the_card_behind_a_replica_is_found_and_a_card_is_its_own(string replica, string card) =>
        Assert.Equal(card, Replicas.CardOf(replica));

    [Theory]
    [InlineData(14, 15)]
    [InlineData(28, 29)]
    [InlineData(42, 43)]
    [InlineData(98, 100)]
    public void Case_16_an_instance_has_its_part_of_the_multiprocessors_rounded_up(int multiprocessors, int cores)
    {
        var card = A100("GPU-a", 0) with { InMigMode = true, Profiles = [new(1, multiprocessors, 4864, [(0, 1)]), new(7, 98, 40448, [(0, 8)])] };
        Assert.Equal(cores, Told([card]).Single().MigProfiles!.First(p => p.Name == "1g.5gb").Cores);
    }

    [Theory]
    [InlineData("NVIDIA A100-SXM4-40GB", "1g.5gb 2g.10gb 3g.20gb 7g.40gb")]
    [InlineData("NVIDIA A100-SXM4-80GB", "1g.10gb 2g.20gb 3g.40gb 7g.79gb")]
    [InlineData("NVIDIA A30", "1g.6gb 2g.12gb 4g.24gb")]
    [InlineData("NVIDIA H20", "1g.12gb 2g.24gb 3g.48gb 7g.96gb")]
    [InlineData("NVIDIA H200", "1g.18gb 2g.35gb 3g.71gb 7g.141gb")]
    [InlineData("NVIDIA H200 NVL", "1g.18gb 2g.35gb 3g.71gb 7g.141gb")]
    [InlineData("NVIDIA H100 80GB HBM3", "1g.10gb 2g.20gb 3g.40gb 7g.80gb")]
    [InlineData("NVIDIA H100-SXM5-80GB", "1g.10gb 2g.20gb 3g.40gb 7g.80gb")]
    [InlineData("NVIDIA H100 NVL", "1g.12gb 2g.24gb 3g.47gb 7g.94gb")]
    [InlineData("NVIDIA RTX PRO 6000 Blackwell Server Edition", "1g.24gb 2g.48gb 4g.96gb")]
    [InlineData("NVIDIA L40S", null)]
    public void A_model_has_the_profiles_of_the_entry_that_names_it_and_never_those_of_a_shorter_name(string model, string? profiles) =>
        Assert.Equal(profiles, MigAllowlist.BuiltIn.Of(model) is { } found ? string.Join(' ', found) : null);

    [Fact]
    public void An_entry_with_the_exact_name_comes_before_one_of_which_a_word_occurs()
    {
        var list = new MigAllowlist([new(["A100"], ["1g.5gb"]), new(["A100-SXM4-80GB"], ["1g.10gb"])]);
        Assert.Equal(["1g.10gb"], list.Of("NVIDIA A100-SXM4-80GB")!);
        Assert.Equal(["1g.5gb"], list.Of("NVIDIA A100-PCIE-40GB")!);
    }

    [Fact]
    public void Profiles_that_the_driver_does_not_offer_are_left_out_and_the_others_tell_their_placements()
    {
        var device = Told([Mig("NVIDIA A100-SXM4-40GB")]).Single();
        Assert.Equal(
            ["1g.5gb 4864 15 1 0+1,1+1,2+1", "3g.20gb 20096 43 3 0+4,4+4", "7g.40gb 40448 100 7 0+8"],
            device.MigProfiles!.Select(p => $"{p.Name} {p.MemoryMiB} {p.Cores} {p.Slices} {string.Join(',', p.Placements.Select(x => $"{x.Start}+{x.Size}"))}"));
        Assert.Equal(3, device.Count);
    }

    [Theory]
    [InlineData(true, "mig", "none", "mig")]
    [InlineData(true, null, "none", "mig")]
    [InlineData(true, "hami-core", "none", "operatingmode is hami-core; switch it off with nvidia-smi -i 3 -mig 0")]
    [InlineData(true, "mps", "none", "operatingmode is mps")]
    [InlineData(true, null, "mixed", "publishes its instances in its place")]
    [InlineData(true, "mig", "single", "publishes its instances in its place")]
    [InlineData(false, "mig", "none", "switch it on with nvidia-smi -i 3 -mig 1")]
    [InlineData(false, null, "none", "hami-core")]
    [InlineData(false, "hami-core", "none", "hami-core")]
    [InlineData(false, "mps", "none", "mps")]
    [InlineData(false, null, "mixed", "hami-core")]
    [Trait("Scoreboard", "E12")]
    public void A_card_is_published_as_what_the_node_wants_and_the_card_is_or_left_out_with_a_word(bool inMigMode, string? mode, string strategy, string published)
    {
        var settings = new NodeSettings { OperatingMode = mode, MigStrategy = Enum.Parse<MigStrategy>(strategy, ignoreCase: true) };
        var seen = Mig("NVIDIA A100-SXM4-40GB") with { Index = 3, InMigMode = inMigMode };
        var (cards, leftOut) = Discovery.Cards([seen], settings);

        if (cards.IsEmpty)
            Assert.Contains(published, leftOut.Single(), StringComparison.Ordinal);
        else
            Assert.Equal((published, 0), (NodeRegister.Decode(Publication.Text(cards, settings)).Single().Mode, leftOut.Length));
    }

    [Fact]
    public void A_card_in_MIG_mode_of_a_model_that_is_not_allowed_is_left_out_with_a_word() =>
        Assert.Contains("no entry of migProfileAllowlist names its model", Discovery.Cards([Mig("NVIDIA L40S")], new()).LeftOut.Single(), StringComparison.Ordinal);

    [Theory]
    [InlineData("DGX Display")]
    [InlineData("NVIDIA DGX Display")]
    public void The_display_of_a_DGX_Station_is_no_card_and_needs_no_word(string name)
    {
        var (cards, leftOut) = Discovery.Cards([A100("GPU-a", 0), A100("GPU-b", 1) with { Name = name }], new());
        Assert.Equal(("GPU-a", 0), (cards.Single().Uuid, leftOut.Length));
    }

    [Fact]
    public void NVML_is_looked_for_where_drivers_keep_it_and_then_where_the_loader_does()
    {
        Assert.Equal(
        [
            "/driver-root/usr/lib64/libnvidia-ml.so.1", "/driver-root/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "/driver-root/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
            "/driver-root/lib64/libnvidia-ml.so.1", "/driver-root/lib/x86_64-linux-gnu/libnvidia-ml.so.1", "/driver-root/lib/aarch64-linux-gnu/libnvidia-ml.so.1", "libnvidia-ml.so.1",
        ], DiscoveryFlags.Under("/driver-root"));
        Assert.Equal(["libnvidia-ml.so.1"], DiscoveryFlags.Under("/"));
        Assert.Equal(["libnvidia-ml.so.1"], DiscoveryFlags.Under(""));
    }

    private static SeenCard A100(string uuid, int index) => new(index, uuid, "NVIDIA A100-SXM4-40GB", Minor: index, MemoryBytes: 42_949_672_960, Numa: null, InMigMode: false);

    private static SeenCard Mig(string name) => A100("GPU-a", 0) with
    {
        Name = name,
        InMigMode = true,
        Profiles = [new(1, 14, 4864, [(0, 1), (1, 1), (2, 1)]), new(3, 42, 20096, [(0, 4), (4, 4)]), new(4, 56, 20096, [(0, 4)]), new(7, 98, 40448, [(0, 8)])],
    };

    private static string Published(IEnumerable<SeenCard> seen, NodeSettings? settings = null) =>
        Publication.Text(Discovery.Cards(seen, settings ?? new()).Cards, settings ?? new());

    private static IReadOnlyList<PublishedDevice> Told(IEnumerable<SeenCard> seen, NodeSettings? settings = null) => NodeRegister.Decode(Published(seen, settings));
}
