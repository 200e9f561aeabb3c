using System.Diagnostics;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Registering;
using Hami.Tests.Allocating;
using Hami.Tests.Given;
using Microsoft.Extensions.Logging.Abstractions;
using static Hami.Tests.Observing.WatchedNode;

namespace Hami.Tests.Observing;

/// <summary>What cards say of themselves and of containers' processes, through the pretended NVML.</summary>
public sealed class HoldingRegionsAgainstTheDriver
{
    private const long MiB = 1 << 20;
    private static readonly string Id = new('b', 64);
    private static readonly string[] Full =
    [
        $"{CardA};NVIDIA A100;40960;108;temperature=61;memory-temperature=72;fan=35;power=312000;energy=123456789;busy=87",
        $"{CardB};NVIDIA A100;40960;108;memory=unsupported",
    ];

    [Fact]
    [Trait("Scoreboard", "I04")]
    public async Task A_card_is_told_as_NVML_tells_it_and_not_at_all_while_the_driver_is_away()
    {
        using var cards = new PretendedCards(Full);
        await using var node = await Start(nvml: [cards.Library]);
        var text = await node.Scrape(t => Value(t, "hami_host_gpu_utilization_ratio", CardA) is not null);
        Assert.Equal(0, Value(text, "hami_host_gpu_memory_used_bytes", CardA, "node=\"node-1\"", "device_index=\"0\"", "device_type=\"NVIDIA A100\""));
        Assert.Equal(40_960 * MiB, Value(text, "hami_host_gpu_memory_total_bytes", CardA));
        Assert.Equal((87, 61, 312, 123_456.789), (
            Value(text, "hami_host_gpu_utilization_ratio", CardA), Value(text, "hami_host_gpu_temperature_celsius", CardA),
            Value(text, "hami_host_gpu_power_usage_watts", CardA), Value(text, "hami_host_gpu_energy_joules_total", CardA)));
        Assert.Equal((72, 35), (Value(text, "hami_host_gpu_memory_temperature_celsius", CardA), Value(text, "hami_host_gpu_fan_speed_ratio", CardA)));
        Assert.Null(Value(text, "hami_host_gpu_fan_speed_ratio", CardB)); // it has none
        Assert.NotNull(Value(text, "hami_host_gpu_memory_controller_utilization_ratio", CardA));

        cards.Lost = true;
        await node.Scrape(t => !t.Contains("hami_host_gpu_temperature_celsius{", StringComparison.Ordinal));
        cards.Lost = false;
        await node.Scrape(t => Value(t, "hami_host_gpu_temperature_celsius", CardA) == 61);
    }

    [Fact]
    [Trait("Scoreboard", "I04")]
    public void A_card_or_a_call_that_tells_nothing_stops_nothing()
    {
        using var cards = new PretendedCards(Full);
        using var session = new NvmlSession([cards.Library], TimeProvider.System, NullLogger<NvmlSession>.Instance);
        var driver = new DriverLook(session, new());
        Card A(string uuid) => new(uuid, "NVIDIA A100", 40_960, null, Healthy: true);
        string[] uuids = ["GPU-that-is-not-there", CardB, CardA];

        for (var look = 0; look < 2; look++)
        {
            var seen = driver.At([.. uuids.Select(A)]).Select(c => c.Reading).ToList();
            Assert.Equal(uuids, seen.Select(c => c.Uuid));
            Assert.Equal([null, null, 40_960 * MiB], seen.Select(c => c.MemoryTotalBytes));
            Assert.Equal([false, true, true], seen.Select(c => c.TemperatureCelsius is not null));
            Assert.Equal([(null, null), (35, null), (72, 35)], seen.Select(c => (c.MemoryTemperatureCelsius, c.FanPercent)));
            Assert.NotEqual("", driver.DriverVersion);
        }
        cards.Fail("nvmlDeviceGetPowerUsage:0:999"); // a fault of one call is not the driver's end
        Assert.Equal([null, 61], driver.At([A("GPU-that-is-not-there"), A(CardA)]).Select(c => c.Reading.TemperatureCelsius));
        Assert.Null(driver.At([A(CardA)])[0].Reading.PowerMilliwatt);
        cards.Fail("");
        Assert.NotNull(driver.At([A(CardA)])[0].Reading.PowerMilliwatt);
    }

    [Fact]
    [Trait("Scoreboard", "I04")]
    [Trait("Scoreboard", "I05")]
    public async Task What_the_driver_counts_of_a_container_stands_beside_what_its_region_says()
    {
        using var cards = new PretendedCards(Full);
        await using var node = await Start(nvml: [cards.Library]);
        await node.Bind("a", [CardA]);
        using var program = ScrapingANode.Alloc(node, "a", 300, cards.Cards);
        try
        {
            var text = await node.Scrape(t => Value(t, "hami_vgpu_memory_driver_bytes") >= 300 * MiB);
            Assert.Equal(Value(text, "hami_host_gpu_memory_used_bytes", CardA), Value(text, "hami_vgpu_memory_driver_bytes"));
        }
        finally
        {
            program.Kill();
        }
    }

    [Fact]
    public async Task A_container_without_the_library_is_told_by_the_drivers_word_and_the_kernels()
    {
        using var cards = new PretendedCards(Full);
        await using var node = await Start(nvml: [cards.Library]);
        await node.Bind("a", [CardA], with: pod => pod.Status.ContainerStatuses = [new() { Name = "c0", ContainerID = $"containerd://{Id}" }]);
        await node.Bind("b", [CardA]);
        using var program = Bare(cards, 200);
        try
        {
            node.PutProcess(program.Id, "uid-a", Id);
            var text = await node.Scrape(t => Value(t, "hami_vgpu_memory_used_bytes") >= 200 * MiB);
            Assert.Equal(Value(text, "hami_vgpu_memory_used_bytes", "pod=\"a\""), Value(text, "hami_vgpu_memory_driver_bytes", "pod=\"a\""));
        }
        finally
        {
            program.Kill();
        }
    }

    [Theory]
    [InlineData(OnExcess.Report)]
    [InlineData(OnExcess.Kill)]
    public async Task A_container_that_goes_round_its_limit_is_told_once_and_ended_where_that_is_asked_for(object onExcess)
    {
        using var cards = new PretendedCards(Full);
        // Looked at by hand, so that no test waits for the time that a container has.
        await using var node = await Start(o => o with { SampleInterval = TimeSpan.FromMinutes(5), OnExcess = (OnExcess)onExcess }, [cards.Library]);
        await node.Bind("a", [CardA], with: pod => pod.Status.ContainerStatuses = [new() { Name = "c0", ContainerID = $"containerd://{Id}" }]);
        // It gave itself more than the 1000 MiB that it was granted, and has another process beside.
        using var large = ScrapingANode.Alloc(node, "a", 3000, cards.Cards, limit: "4000m");
        using var small = Bare(cards, 100);
        try
        {
            node.PutProcess(large.Id, "uid-a", Id);
            node.PutProcess(small.Id, "uid-a", Id);
            await Judge(node, looks: 4);

            var said = Assert.Single(node.Api.Events);
            Assert.Contains("more than its limit of 1000 MiB", said, StringComparison.Ordinal);
            Assert.Contains("MemoryLimitExceeded", said, StringComparison.Ordinal);
            Assert.Contains("Warning", said, StringComparison.Ordinal);
            Assert.Equal(1, Value(await node.Scrape(), "hami_node_limit_actions_total", "report"));
            Assert.Single(node.Log, l => l.Contains("more than its limit", StringComparison.Ordinal));
            if (onExcess is OnExcess.Kill)
            {
                Assert.True(large.WaitForExit(TimeSpan.FromSeconds(15)));
                Assert.Equal(1, Value(await node.Scrape(), "hami_node_limit_actions_total", "kill"));
            }
            else
            {
                Assert.False(large.HasExited);
            }
            Assert.False(small.HasExited);
        }
        finally
        {
            large.Kill();
            small.Kill();
        }
    }

    [Theory]
    [InlineData(true)] // another container of the pod
    [InlineData(false)] // no container at all
    public async Task A_process_that_is_not_certain_to_be_the_containers_is_never_ended(bool isAnothers)
    {
        using var cards = new PretendedCards(Full);
        await using var node = await Start(o => o with { SampleInterval = TimeSpan.FromMinutes(5), OnExcess = OnExcess.Kill }, [cards.Library]);
        await node.Bind("a", [CardA], with: pod => pod.Status.ContainerStatuses = isAnothers ? [] : [new() { Name = "c0", ContainerID = $"containerd://{Id}" }]);
        using var program = ScrapingANode.Alloc(node, "a", 3000, cards.Cards, limit: "4000m");
        try
        {
            if (isAnothers)
                node.PutProcess(program.Id, "uid-a", Id); // the kubelet has not told whose id that is
            await Judge(node, looks: 8);
            Assert.Contains("none was ended", Assert.Single(node.Api.Events), StringComparison.Ordinal);
            Assert.False(program.HasExited);
        }
        finally
        {
            program.Kill();
        }
    }

    [Fact]
    public async Task A_pid_that_means_another_process_by_now_is_left_alone()
    {
        using var cards = new PretendedCards(Full);
        await using var node = await Start(o => o with { SampleInterval = TimeSpan.FromMinutes(5), OnExcess = OnExcess.Kill }, [cards.Library]);
        await node.Bind("a", [CardA], with: pod => pod.Status.ContainerStatuses = [new() { Name = "c0", ContainerID = $"containerd://{Id}" }]);
        using var program = ScrapingANode.Alloc(node, "a", 3000, cards.Cards, limit: "4000m");
        try
        {
            node.PutProcess(program.Id, "uid-a", Id);
            await Judge(node, looks: 4, before: () => node.PutProcess(program.Id, "uid-a", Id, startTicks: 6));
            Assert.Contains("gone before it was ended", Assert.Single(node.Api.Events), StringComparison.Ordinal);
            await Judge(node, looks: 4, before: () => node.PutProcess(program.Id, "uid-b", Id, startTicks: 6));
            Assert.False(program.HasExited);
        }
        finally
        {
            program.Kill();
        }
    }

    // As if a look were taken every five seconds.
    private static async Task Judge(WatchedNode node, int looks, Action? before = null)
    {
        await AgentOnANode.Eventually(() => node.Room<NodeReadings>().Latest is not null);
        var excess = node.Room<ExcessEnforcement>();
        var moment = node.Room<Sampling>().Look();
        before?.Invoke();
        for (var look = 0; look < looks; look++)
            await excess.Judge(moment with { At = moment.At.AddMinutes(1).AddSeconds(5 * look) });
    }

    private static Process Bare(PretendedCards cards, int mib)
    {
        var start = new ProcessStartInfo(Path.Combine(Built, "bin", "lab-cuda"), ["alloc", $"{mib}", "--hold"]) { RedirectStandardOutput = true, UseShellExecute = false };
        start.Environment["LD_LIBRARY_PATH"] = Path.Combine(Built, "driver");
        start.Environment["HAMI_FAKE_DRIVER"] = cards.Cards;
        var program = Process.Start(start)!;
        Assert.Equal("CUDA_SUCCESS", program.StandardOutput.ReadLine());
        return program;
    }
}
