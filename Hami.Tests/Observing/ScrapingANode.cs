using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Hami.NodeAgent.Observing;
using Hami.Tests.Allocating;
using k8s.Models;
using static Hami.Tests.Observing.WatchedNode;

namespace Hami.Tests.Observing;

/// <summary>What a node's agent tells of containers over HTTP while they come and go.</summary>
public sealed class ScrapingANode
{
    private const long MiB = 1 << 20;

    [Fact]
    [Trait("Scoreboard", "I05")]
    [Trait("Scoreboard", "I06")]
    [Trait("Scoreboard", "I10")]
    public async Task Series_follow_an_allocation_of_known_size_and_vanish_with_the_pod()
    {
        await using var node = await Start();
        await node.Bind("a", [CardA]);
        using var program = Alloc(node, "a", 300);
        string[] of = ["namespace=\"default\"", "pod=\"a\"", "container=\"c0\"", "vdevice_index=\"0\"", $"device_uuid=\"{CardA}\""];

        var text = await node.Scrape(t => Value(t, "hami_vgpu_memory_used_bytes", of) >= 300 * MiB);
        var used = Value(text, "hami_vgpu_memory_used_bytes", of);
        Assert.Equal(1000 * MiB, Value(text, "hami_vgpu_memory_limit_bytes", of));
        Assert.Equal(used, Value(text, "hami_container_device_memory_bytes", of));
        Assert.Equal(used, Value(text, "hami_vgpu_memory_context_bytes", of) + Value(text, "hami_vgpu_memory_module_bytes", of) + Value(text, "hami_vgpu_memory_buffer_bytes", of));
        Assert.Equal(1, Value(text, "hami_vgpu_processes", of));

        program.Kill();
        await node.Scrape(t => Value(t, "hami_vgpu_memory_used_bytes", of) == 0); // a process killed in the middle holds nothing
        node.Api.Delete("a");
        text = await node.Scrape(t => !t.Contains("pod=\"a\"", StringComparison.Ordinal));
        Assert.Contains("hami_host_gpu_healthy", text, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "I10")]
    [Trait("Node", "case 51")]
    public async Task Whatever_a_container_puts_in_the_place_of_its_region_the_others_are_told_and_it_is_said_once()
    {
        await using var node = await Start();
        await node.Bind("good", [CardA]);
        node.Put("good", "c0", Region(77 * MiB));
        var bad = new Dictionary<string, Action<string>>
        {
            ["link"] = at => File.CreateSymbolicLink(at, "/etc/passwd"),
            ["pipe"] = at => Process.Start("mkfifo", at).WaitForExit(),
            ["huge"] = at =>
            {
                using var file = File.Create(at);
                file.SetLength(1L << 40);
            },
            ["short"] = at => File.WriteAllText(at, "short"),
            ["folder"] = at => Directory.CreateDirectory(at),
            ["noise"] = at => File.WriteAllBytes(at, [.. Enumerable.Repeat((byte)0xA5, 2_008_953)]),
        };
        foreach (var (name, put) in bad)
        {
            await node.Bind(name, [CardA]);
            put(Path.Combine(node.Place(name, "c0"), "x.new"));
            Directory.Move(Path.Combine(node.Place(name, "c0"), "x.new"), Path.Combine(node.Place(name, "c0"), "x.cache"));
        }

        var text = await node.Scrape(t => t.Contains($"hami_node_unreadable_regions {bad.Count}\n", StringComparison.Ordinal));
        Assert.Equal(77 * MiB, Value(text, "hami_vgpu_memory_used_bytes"));
        // Looked at many times more, each was said once.
        var looks = node.Room<Sampling>().Counts.Samples;
        await AgentOnANode.Eventually(() => node.Room<Sampling>().Counts.Samples > looks + 5);
        Assert.Equal(bad.Keys.Order(), node.Log.Where(l => l.Contains("is not read", StringComparison.Ordinal)).Select(l => bad.Keys.Single(k => l.Contains($"/{k} ", StringComparison.Ordinal))).Order());
        Assert.DoesNotContain(node.Log, l => l.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Node", "case 51")]
    public async Task A_region_cut_off_by_its_container_drops_the_container_and_comes_back()
    {
        await using var node = await Start();
        await node.Bind("a", [CardA]);
        var path = node.Put("a", "c0", Region(5 * MiB));
        await node.Scrape(t => Value(t, "hami_vgpu_memory_used_bytes") == 5 * MiB);
        using (var file = File.OpenWrite(path))
            file.SetLength(1_300_000);
        await node.Scrape(t => Value(t, "hami_vgpu_memory_used_bytes") is null or 0);
        node.Put("a", "c0", Region(6 * MiB));
        await node.Scrape(t => Value(t, "hami_vgpu_memory_used_bytes") == 6 * MiB);
    }

    [Fact]
    public async Task Init_containers_are_told_too_and_containers_that_ended_no_more()
    {
        await using var node = await Start();
        await node.Bind("a", [null, CardB], init: [CardA]);
        node.Put("a", "i0", Region(1 * MiB));
        node.Put("a", "c1", Region(2 * MiB, CardB), name: "region");
        var text = await node.Scrape(t => Value(t, "hami_vgpu_memory_used_bytes", "container=\"i0\"") == 1 * MiB && Value(t, "hami_vgpu_memory_used_bytes", "container=\"c1\"") == 2 * MiB);
        Assert.Equal(1, Value(text, "hami_container_info", "container=\"i0\",container_index=\"0\""));
        Assert.Equal(1, Value(text, "hami_container_info", "container=\"c1\",container_index=\"2\""));

        await node.Bind("a", [null, CardB], init: [CardA], with: pod => pod.Status.InitContainerStatuses = [new() { Name = "i0", State = new() { Terminated = new() { ExitCode = 0 } } }]);
        text = await node.Scrape(t => !t.Contains("container=\"i0\"", StringComparison.Ordinal));
        Assert.Equal(2 * MiB, Value(text, "hami_vgpu_memory_used_bytes", "container=\"c1\""));
    }

    [Fact]
    [Trait("Scoreboard", "E11")]
    [Trait("Node", "case 50")]
    public async Task Instances_of_MIG_are_told_by_the_container_that_holds_them_while_it_does()
    {
        static string Mig(params int[] containers) =>
            $"[{string.Join(',', containers.Select(c => $$"""{"containerIndex":{{c}},"deviceIndex":0,"gpuUUID":"GPU-m","profile":"2g.10gb","placement":{"start":0,"size":2},"migUUID":"MIG-{{c}}","gpuInstanceID":0,"computeInstanceID":0}"""))}]";
        await using var node = await Start(o => o with { LegacyMetrics = true });
        await node.Bind("a", [CardA, CardA], init: [CardA], with: pod => pod.Metadata.Annotations["hami.io/vgpu-mig-allocations"] = Mig(0, 1, 2, 3));
        await node.Bind("b", [CardA], with: pod => pod.Metadata.Annotations["hami.io/vgpu-mig-allocations"] = Mig(-1));
        await node.Bind("c", [CardA], with: pod => pod.Metadata.Annotations["hami.io/vgpu-mig-allocations"] = Mig(0).Replace(",\"migUUID\":\"MIG-0\",\"gpuInstanceID\":0,\"computeInstanceID\":0", "", StringComparison.Ordinal));

        var told = Told(await node.Scrape());
        Assert.Equal(["container=\"c0\" MIG-1", "container=\"c1\" MIG-2", "container=\"i0\" MIG-0"], told);
        node.Api.Delete("a");
        await node.Scrape(t => Told(t).Count == 0);

        static List<string> Told(string text) =>
        [
            .. text.Split('\n').Where(l => l.StartsWith("hami_mig_device_info{", StringComparison.Ordinal))
                .Select(l => string.Concat(l.Split(',')[2], " ", l[l.IndexOf("MIG-", StringComparison.Ordinal)..][..5])).Order(StringComparer.Ordinal),
        ];
    }

    [Fact]
    [Trait("Scoreboard", "I08")]
    public async Task Old_names_are_offered_only_where_they_are_asked_for()
    {
        await using var now = await Start();
        Assert.DoesNotContain("HostGPUMemoryUsage", await now.Scrape(), StringComparison.Ordinal);
        await using var both = await Start(o => o with { LegacyMetrics = true });
        Assert.Contains("HostGPUMemoryUsage", await both.Scrape(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_is_taken_or_none_is_said_and_the_agent_goes_on()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        foreach (var address in new[] { other.LocalEndpoint.ToString()!, "no address:at all" })
        {
            await using var node = await Start(o => o with { MetricsBind = address });
            Assert.Contains(node.Log, l => l.Contains("No metrics at", StringComparison.Ordinal) && l.Contains("--metrics-bind", StringComparison.Ordinal));
            await AgentOnANode.Eventually(() => node.Room<NodeReadings>().Latest is not null);
            Assert.Null(node.Room<MetricsEndpoint>().Address);
        }
    }

    [Theory]
    [InlineData(":9394", null, 9394)]
    [InlineData("0.0.0.0:9394", "0.0.0.0", 9394)]
    [InlineData("127.0.0.1:0", "127.0.0.1", 0)]
    [InlineData("[::1]:9394", "::1", 9394)]
    [InlineData("localhost:9394", "127.0.0.1", 9394)]
    [InlineData("http://10.0.0.1:9394", "10.0.0.1", 9394)]
    public void An_address_may_be_without_a_host(string address, string? host, int port) =>
        Assert.Equal((host is null ? null : IPAddress.Parse(host), port), MetricsEndpoint.Parse(address));

    [Theory]
    [InlineData("9394")]
    [InlineData(":http")]
    [InlineData(":99999")]
    [InlineData("node:9394")]
    public void Another_text_is_no_address(string address) => Assert.Throws<FormatException>(() => MetricsEndpoint.Parse(address));

    [Fact]
    public async Task Without_an_address_there_are_none()
    {
        await using var node = await Start(o => o with { MetricsBind = null });
        Assert.Null(node.Room<MetricsEndpoint>().Address);
        Assert.DoesNotContain(node.Log, l => l.Contains("metrics", StringComparison.OrdinalIgnoreCase));
    }

    internal static Process Alloc(WatchedNode node, string pod, int mib, string? cards = null, string limit = "1000m")
    {
        var list = Path.Combine(node.Dir, "cards.txt");
        if (!File.Exists(list))
            File.WriteAllText(list, $"{CardA};NVIDIA A100;40960;108\n{CardB};NVIDIA A100;40960;108\n");
        var start = new ProcessStartInfo(Path.Combine(Built, "bin", "lab-cuda"), ["alloc", $"{mib}", "--hold"]) { RedirectStandardOutput = true, UseShellExecute = false };
        start.Environment["LD_PRELOAD"] = Path.Combine(Built, "libvgpu.so");
        start.Environment["LD_LIBRARY_PATH"] = Path.Combine(Built, "driver");
        start.Environment["HAMI_FAKE_DRIVER"] = cards ?? list;
        start.Environment["NVIDIA_VISIBLE_DEVICES"] = CardA;
        start.Environment["CUDA_DEVICE_MEMORY_LIMIT_0"] = limit;
        start.Environment["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = Path.Combine(node.Place(pod, "c0"), "x.cache");
        var program = Process.Start(start)!;
        Assert.Equal("CUDA_SUCCESS", program.StandardOutput.ReadLine());
        return program;
    }

    private static RegionImage Region(long bytes, string card = CardA) => new RegionImage(RegionKind.HamiV1, extra: 1).Card(0, card, 4096UL * (ulong)MiB).Process(0, 0).Use(0, 0, buffer: (ulong)bytes);
}
