using System.Text;
using System.Text.RegularExpressions;
using Hami.NodeAgent.Observing;
using Hami.Tests.Given;

namespace Hami.Tests.Observing;

/// <summary>What a scrape of a node says, from one moment.</summary>
public sealed partial class OfferingNodeMetrics
{
    private const long MiB = 1 << 20;
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(160);

    [Fact]
    [Trait("Scoreboard", "I04")]
    [Trait("Scoreboard", "I05")]
    [Trait("Scoreboard", "I06")]
    [Trait("Scoreboard", "I07")]
    [Trait("Scoreboard", "I08")]
    [Trait("Scoreboard", "E11")]
    public void Names_labels_and_values_are_as_approved() =>
        ApprovedText.Is("metrics-of-a-node.txt", Build().Replace(NodeMetrics.Text(Node(), legacy: true), "hami_build_info{...} 1"));

    [Fact]
    [Trait("Node", "case 49")]
    [Trait("Scoreboard", "I06")]
    [Trait("Scoreboard", "I07")]
    public void A_container_has_HAMis_eight_series_for_each_card_and_seven_before_it_ever_sent_work()
    {
        var share = new ShareReading("uid-a", "default", "a", "main", 1, 0, "GPU-a", 8000, 10_000, 1000, 500, 300, null, 42, DateTimeOffset.FromUnixTimeSeconds(100), 1);
        Assert.Equal(
            [
                "hami_vgpu_memory_used_bytes 8000", "hami_vgpu_memory_limit_bytes 10000", "hami_container_device_memory_bytes 8000", "hami_container_device_utilization_ratio 42",
                "hami_vgpu_memory_context_bytes 1000", "hami_vgpu_memory_module_bytes 500", "hami_vgpu_memory_buffer_bytes 300", "hami_container_last_kernel_elapsed_seconds 60",
            ],
            Hamis(share));
        Assert.Equal(7, Hamis(share with { LastKernel = null }).Count);
        Assert.Equal("hami_container_last_kernel_elapsed_seconds 0", Hamis(share with { LastKernel = Now.AddSeconds(7) })[^1]);

        static List<string> Hamis(ShareReading share) =>
        [
            .. Lines(Node() with { Moment = new(Now, [], [share]) })
                .Where(l => l.Contains("{namespace=\"default\",pod=\"a\",container=\"main\",vdevice_index=\"0\",device_uuid=\"GPU-a\",zone=\"vGPU\"}", StringComparison.Ordinal))
                .Select(l => string.Concat(l.AsSpan(0, l.IndexOf('{')), l.AsSpan(l.LastIndexOf(' '))))
                .Where(l => !l.Contains("driver", StringComparison.Ordinal) && !l.Contains("exceeded", StringComparison.Ordinal) && !l.Contains("processes", StringComparison.Ordinal)),
        ];
    }

    [Fact]
    [Trait("Scoreboard", "I08")]
    public void Old_names_appear_only_when_asked_for_and_say_the_same()
    {
        var (now, both) = (Lines(Node()), Lines(Node(), legacy: true));
        Assert.DoesNotContain(now, l => l.Contains("deviceuuid", StringComparison.Ordinal));
        foreach (var (name, former) in new[]
        {
            ("hami_host_gpu_memory_used_bytes", "HostGPUMemoryUsage"), ("hami_host_gpu_utilization_ratio", "HostCoreUtilization"),
            ("hami_vgpu_memory_used_bytes", "vGPU_device_memory_usage_in_bytes"), ("hami_vgpu_memory_limit_bytes", "vGPU_device_memory_limit_in_bytes"),
            ("hami_container_device_memory_bytes", "Device_memory_desc_of_container"), ("hami_container_device_utilization_ratio", "Device_utilization_desc_of_container"),
            ("hami_container_last_kernel_elapsed_seconds", "Device_last_kernel_of_container"), ("hami_mig_device_info", "MigInfo"),
        })
        {
            Assert.NotEmpty(Values(both, name));
            Assert.Equal(Values(both, name), Values(both, former));
        }

        static List<string> Values(List<string> lines, string name) => [.. lines.Where(l => l.StartsWith(name + "{", StringComparison.Ordinal)).Select(l => l[(l.LastIndexOf(' ') + 1)..])];
    }

    [Fact]
    [Trait("Scoreboard", "I04")]
    public void What_a_card_does_not_tell_has_no_series_and_the_other_cards_have_all()
    {
        var lines = Lines(Node() with { Moment = new(Now, [new("GPU-mute", 0, "X", true, null, null, null, null, null, null, null), Card("GPU-b", 1)], []) });
        Assert.Equal(["hami_host_gpu_healthy"], lines.Where(l => l.Contains("GPU-mute", StringComparison.Ordinal)).Select(l => l[..l.IndexOf('{')]));
        Assert.Equal(8, lines.Count(l => l.Contains("GPU-b", StringComparison.Ordinal)));
    }

    [Fact]
    public void Two_pods_of_one_name_never_make_one_series_twice()
    {
        var share = Node().Moment!.Shares[0];
        var lines = Lines(Node() with { Moment = new(Now, [], [share, share with { PodUid = "uid-later" }]) });
        Assert.Equal(lines.Count, lines.Select(l => l[..l.LastIndexOf(' ')]).Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void A_name_with_quotes_stays_one_label() =>
        Assert.Contains("a\\\"b\\\\c\\nd", new MetricsText().Family("x", "gauge", "X.", ["l"], [(1, ["a\"b\\c\nd"])]).ToString(), StringComparison.Ordinal);

    [Fact]
    public void Before_the_first_look_there_is_no_series_of_cards_and_containers() =>
        Assert.DoesNotContain(Lines(Node() with { Moment = null }), l => l.Contains("device_uuid=\"GPU-a\",zone", StringComparison.Ordinal));

    private static List<string> Lines(NodeFacts facts, bool legacy = false) => [.. NodeMetrics.Text(facts, legacy).Split('\n').Where(l => l.Length > 0 && l[0] != '#')];

    private static NodeFacts Node()
    {
        var init = TellingWhoseProcessItIs.Container("train", "load") with { Index = 0 };
        var main = TellingWhoseProcessItIs.Container("train", "main") with { Index = 1 };
        return new(
            "node-1", Now,
            new(
                Now,
                [
                    Card("GPU-a", 0),
                    new("GPU-b", 1, "NVIDIA GB10", Healthy: false, null, null, 7, null, 41, null, null), // no memory of its own to tell
                ],
                [
                    new("uid-train", "default", "train", "load", 0, 0, "GPU-a", 0, 10_240 * MiB, 0, 0, 0, null, 0, null, 0),
                    new("uid-train", "default", "train", "main", 1, 0, "GPU-a", 8000, 10_000, 1000, 500, 300, 12_000, 42, DateTimeOffset.FromUnixTimeSeconds(100), 2),
                    new("uid-train", "default", "train", "main", 1, 1, "GPU-b", 3 * MiB, 0, 1 * MiB, 0, 2 * MiB, 3 * MiB, 100, DateTimeOffset.FromUnixTimeSeconds(100), 1),
                ]),
            [init, main, TellingWhoseProcessItIs.Container("done") with { Over = true }],
            [new("default", "infer", "c0", 0, "GPU-m", "MIG-1", "2g.10gb", 3, 0)],
            new HashSet<ShareName> { new("uid-train", "main", "GPU-a") },
            new(17, TimeSpan.FromMilliseconds(2.5), 1, 2, 1));
    }

    private static CardReading Card(string uuid, int index) => new(uuid, index, "Tesla P4", Healthy: true, 7680 * MiB, 1024 * MiB, 42, 17, 55, 61_500, 123_456_789);

    [GeneratedRegex("hami_build_info\\{[^}]*\\} 1", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Build();
}
