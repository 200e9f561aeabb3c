using System.Buffers;
using System.Text;
using Hami.Api.Measuring;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Measuring;

/// <summary>HAMi's metric families, from the ledger.</summary>
public sealed class OfferingMetrics
{
    [Fact]
    [Trait("Scoreboard", "I01")]
    [Trait("Scoreboard", "I08")]
    public void Names_labels_and_values_are_as_approved() => ApprovedText.Is("metrics-of-the-ledger.txt", Text(Cluster(), legacy: true));

    [Fact]
    [Trait("Scoreboard", "I08")]
    public void Old_names_appear_only_when_asked_for_and_say_the_same()
    {
        var now = Text(Cluster(), legacy: false);
        Assert.DoesNotContain("GPUDevice", now, StringComparison.Ordinal);
        Assert.DoesNotContain("vGPUMemory", now, StringComparison.Ordinal);
        Assert.DoesNotContain("nodeid", now, StringComparison.Ordinal);

        var both = Text(Cluster(), legacy: true);
        foreach (var (family, former) in new[]
        {
            ("hami_gpu_memory_limit_bytes", "GPUDeviceMemoryLimit"), ("hami_gpu_core_limit_ratio", "GPUDeviceCoreLimit"),
            ("hami_gpu_memory_allocated_bytes", "GPUDeviceMemoryAllocated"), ("hami_gpu_shared_count", "GPUDeviceSharedNum"),
            ("hami_gpu_core_allocated_ratio", "GPUDeviceCoreAllocated"), ("hami_node_gpu_overview", "nodeGPUOverview"),
            ("hami_node_gpu_memory_allocated_ratio", "nodeGPUMemoryPercentage"),
            ("hami_vgpu_memory_allocated_bytes", "vGPUMemoryAllocated"), ("hami_vgpu_core_allocated_ratio", "vGPUCoreAllocated"),
        })
        {
            Assert.NotEmpty(Values(both, family));
            Assert.Equal(Values(both, family), Values(both, former));
        }
    }

    [Fact]
    [Trait("Scoreboard", "I03")]
    public void Each_container_and_card_has_one_series_under_the_containers_own_index()
    {
        var series = Text(Cluster(), legacy: false).Split('\n').Where(l => l.StartsWith("hami_vgpu_memory_allocated_bytes{", StringComparison.Ordinal)).ToList();

        Assert.Contains(series, l => l.Contains("container_index=\"0\",device_uuid=\"GPU-a\"", StringComparison.Ordinal));
        Assert.Contains(series, l => l.Contains("container_index=\"2\",device_uuid=\"GPU-b\"", StringComparison.Ordinal));
        Assert.Equal(series.Count, series.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    [Trait("Scoreboard", "I02")]
    public void What_is_allocated_of_a_card_is_the_sum_of_what_its_containers_got()
    {
        var text = Text(Cluster(), legacy: false);
        double Sum(string family, string card) => text.Split('\n')
            .Where(l => l.StartsWith(family + "{", StringComparison.Ordinal) && l.Contains($"device_uuid=\"{card}\"", StringComparison.Ordinal))
            .Sum(l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));

        foreach (var card in new[] { "GPU-a", "GPU-b" })
            Assert.Equal(Sum("hami_vgpu_memory_allocated_bytes", card), Sum("hami_gpu_memory_allocated_bytes", card));
    }

    [Fact]
    [Trait("Scoreboard", "G07")]
    [Trait("Hami", "case 90")]
    public void Quotas_are_said_in_the_units_of_the_resource_and_the_tightest_limit_counts()
    {
        var cluster = ClusterLedger.Evolve(
            Cluster(), Streams.Quota("default"), default, new QuotaEvent.QuotaChanged("default", [new("a", 40_000, null), new("b", 60_000, 200)]));

        var text = Text(cluster, legacy: true, NvidiaConfig.Hami with { MemoryFactor = 2 });

        foreach (var series in new[]
        {
            "hami_resource_quota_used{namespace=\"default\",quota_name=\"nvidia.com/gpumem\",limit=\"20000\",zone=\"vGPU\"} 12252",
            "hami_resource_quota_used{namespace=\"default\",quota_name=\"nvidia.com/gpucores\",limit=\"200\",zone=\"vGPU\"} 80",
            "hami_resource_quota_limit{namespace=\"default\",quota_name=\"nvidia.com/gpumem\",zone=\"vGPU\"} 20000",
            "hami_resource_quota_limit{namespace=\"default\",quota_name=\"nvidia.com/gpucores\",zone=\"vGPU\"} 200",
            "QuotaUsed{quotanamespace=\"default\",quotaName=\"nvidia.com/gpumem\",limit=\"20000\",zone=\"vGPU\"} 12252",
        })
        {
            Assert.Contains(series, text.Split('\n'));
        }
        Assert.DoesNotContain("hami_resource_quota_limit", Text(Cluster(), legacy: true), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "E11")]
    public void A_MIG_instance_that_a_pod_holds_is_told_with_its_profile_and_place()
    {
        var cluster = ClusterLedger.Evolve(
            ClusterLedger.Empty, Streams.Node("n1"), default,
            new NodeEvent.DevicesRegistered("n1", [new("GPU-m", 3, "NVIDIA A100-SXM4-40GB", 40960, 100, 7, 0, "mig", true)]));

        Assert.Contains(
            "hami_node_gpu_mig_instance_info{node=\"n1\",device_uuid=\"GPU-m\",device_index=\"3\",mig_uuid=\"\",profile=\"2g.10gb\",gpu_instance_id=\"\",compute_instance_id=\"\",placement_start=\"2\",placement_size=\"2\",zone=\"vGPU\"} 1",
            Text(Place(cluster, "uid-1", "p", new Share(0, "main", false, "GPU-m", 9728, 28, new("2g.10gb", 2, 2))), legacy: false).Split('\n'));
    }

    [Fact]
    public void Two_pods_of_one_name_are_one_series_with_their_sum()
    {
        var cluster = Place(Place(Registered(), "uid-1", "p", new Share(0, "main", false, "GPU-a", 1000, 10)), "uid-2", "p", new Share(0, "main", false, "GPU-a", 500, 5));

        var series = Assert.Single(Text(cluster, legacy: false).Split('\n'), l => l.StartsWith("hami_vgpu_memory_allocated_bytes{", StringComparison.Ordinal));
        Assert.EndsWith($" {1500L << 20}", series, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_cluster_of_five_thousand_nodes_is_told_in_a_second_of_work_and_without_keeping_it()
    {
        var cluster = ClusterLedger.Empty;
        for (var n = 0; n < 5000; n++)
        {
            cluster = ClusterLedger.Evolve(
                cluster, Streams.Node($"node-{n:D4}"), default,
                new NodeEvent.DevicesRegistered($"node-{n:D4}", [.. Enumerable.Range(0, 8).Select(c => new Card($"GPU-{n:D4}-{c}-0000-0000-0000-000000000000", c, "NVIDIA A100-SXM4-40GB", 40960, 100, 10, 0, "hami-core", true))]));
        }
        var bytes = new ArrayBufferWriter<byte>(1 << 20);
        var exposition = new Exposition(bytes);
        var (written, start) = (0L, System.Diagnostics.Stopwatch.GetTimestamp());
        foreach (var family in ClusterFamilies.Of(cluster, NvidiaConfig.Hami, legacy: false))
        {
            exposition.Begin(family);
            foreach (var sample in family.Samples)
            {
                written += exposition.Write(family, sample);
                if (bytes.WrittenCount > 64 << 10)
                    bytes.ResetWrittenCount();
            }
        }
        TestContext.Current.SendDiagnosticMessage($"{written >> 20} MiB in {System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms");
        Assert.InRange(written, 30 << 20, 100 << 20);
        Assert.Equal(1 << 20, bytes.Capacity);
    }

    [Fact]
    public void Odd_names_do_not_break_the_text()
    {
        var cluster = ClusterLedger.Evolve(
            ClusterLedger.Empty, Streams.Node("n"), default,
            new NodeEvent.DevicesRegistered("n", [new("GPU-\"\\\n", 0, "a \"model\"\\\nand more", 0, 0, 0, 0, "", false)]));

        var text = Text(cluster, legacy: true);
        Assert.Contains("device_uuid=\"GPU-\\\"\\\\\\n\"", text, StringComparison.Ordinal);
        Assert.All(text.Split('\n').Where(l => l.Length > 0), l => Assert.Matches("^(# (HELP|TYPE) .+|[a-zA-Z_]+\\{.*\\} [0-9.E+-]+)$", l));
    }

    [Fact]
    public void Every_family_stands_together_and_no_series_twice()
    {
        var text = Text(Cluster(), legacy: true);
        var families = text.Split('\n').Where(l => l.Length > 0 && l[0] != '#').Select(l => l[..l.IndexOf('{', StringComparison.Ordinal)]).ToList();
        Assert.Equal(families.Distinct(StringComparer.Ordinal).Count(), families.Where((f, i) => i == 0 || families[i - 1] != f).Count());
        var series = text.Split('\n').Where(l => l.Length > 0 && l[0] != '#').Select(l => l[..l.LastIndexOf(' ')]).ToList();
        Assert.Equal(series.Count, series.Distinct(StringComparer.Ordinal).Count());
    }

    private static string Text(ClusterLedger ledger, bool legacy, NvidiaConfig? nvidia = null)
    {
        var bytes = new ArrayBufferWriter<byte>();
        var exposition = new Exposition(bytes);
        foreach (var family in ClusterFamilies.Of(ledger, nvidia ?? NvidiaConfig.Hami, legacy))
        {
            exposition.Begin(family);
            foreach (var sample in family.Samples)
                exposition.Write(family, sample);
        }
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    private static List<string> Values(string text, string family) =>
        [.. text.Split('\n').Where(l => l.StartsWith(family + "{", StringComparison.Ordinal)).Select(l => l[(l.LastIndexOf(' ') + 1)..])];

    private static ClusterLedger Registered() => ClusterLedger.Evolve(
        ClusterLedger.Empty, Streams.Node("n1"), default,
        new NodeEvent.DevicesRegistered("n1",
        [
            new("GPU-a", 0, "NVIDIA A100-SXM4-40GB", 40960, 100, 10, 0, "hami-core", true),
            new("GPU-b", 1, "NVIDIA A100-SXM4-40GB", 40960, 100, 10, 1, "hami-core", true),
        ]));

    // An app container on each card, one without any between them.
    private static ClusterLedger Cluster() => Place(
        Place(Registered(), "uid-1", "train", new Share(0, "main", false, "GPU-a", 20480, 30), new Share(2, "side", false, "GPU-b", 1024, 0)),
        "uid-2", "serve", new Share(0, "main", false, "GPU-a", 3000, 50));

    private static ClusterLedger Place(ClusterLedger cluster, string uid, string pod, params Share[] shares) => ClusterLedger.Evolve(
        cluster, Streams.Node("n1"), default,
        new NodeEvent.AllocationPlaced(Guid.NewGuid(), uid, "default", pod, "n1", 3, shares, new(0, 0, [], "binpack", "spread", 0, [])));
}
