using System.Diagnostics;
using System.Globalization;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing.Nvml;
using static Hami.Tests.Allocating.AgentOnANode;
using static Hami.Tests.Observing.WatchedNode;

namespace Hami.Tests.Registering;

/// <summary>The whole agent over NVIDIA's own NVML, held against nvidia-smi; skipped on a machine without a card.</summary>
public sealed class SeeingARealCard
{
    private const long MiB = 1 << 20;

    [Fact]
    public async Task What_the_driver_tells_stands_on_the_node_with_the_kubelet_and_in_the_metrics()
    {
        Assert.SkipUnless(File.Exists("/proc/driver/nvidia/version"), "There is no NVIDIA driver on this machine.");
        var cards = Ask("index,uuid,name,memory.total,mig.mode.current");
        var began = Stopwatch.GetTimestamp();

        await using var node = await AgentWithNvml.Start(cards: null, options => options with
        {
            NvmlLibraries = ["libnvidia-ml.so.1"],
            Sysfs = "/sys",
            Observing = new() { SampleInterval = TimeSpan.FromSeconds(1), MetricsBind = "127.0.0.1:0" },
        });
        await Eventually(() => node.Published.Count == cards.Count && node.Kubelet.Health.Count == 10 * cards.Count);
        Say($"known to the node and the kubelet after {Stopwatch.GetElapsedTime(began).TotalMilliseconds:F0} ms: {node.Annotation}");
        foreach (var (card, published) in cards.Zip(node.Published))
        {
            Assert.Equal((card[1], int.Parse(card[0], CultureInfo.InvariantCulture), "hami-core", true), (published.Id, published.Index, published.Mode, published.Health));
            Assert.EndsWith(card[2], published.Type, StringComparison.Ordinal);
            Assert.InRange(published.MemoryMiB, long.Parse(card[3], CultureInfo.InvariantCulture) - 1, long.Parse(card[3], CultureInfo.InvariantCulture) + 1);
        }

        await Eventually(() => node.AllListening(cards.Count));

        var address = new Uri(new Uri(node.Room<MetricsEndpoint>().Address!), "/metrics");
        using var http = new HttpClient();
        string text = "";
        await Eventually(() => (text = http.GetStringAsync(address).GetAwaiter().GetResult()).Contains("hami_host_gpu_memory_used_bytes{", StringComparison.Ordinal));
        foreach (var now in Ask("uuid,memory.used,temperature.gpu,power.draw,temperature.memory,fan.speed"))
        {
            var of = $"device_uuid=\"{now[0]}\"";
            Say($"nvidia-smi: {string.Join(", ", now)}");
            Say(string.Join('\n', text.Split('\n').Where(l => l.StartsWith("hami_host", StringComparison.Ordinal) && l.Contains(of, StringComparison.Ordinal))));
            Assert.InRange(Value(text, "hami_host_gpu_memory_used_bytes", of)!.Value / MiB, Number(now[1]) - 16, Number(now[1]) + 16);
            Assert.InRange(Value(text, "hami_host_gpu_temperature_celsius", of)!.Value, Number(now[2]) - 10, Number(now[2]) + 10);
            Assert.InRange(Value(text, "hami_host_gpu_power_usage_watts", of)!.Value, Number(now[3]) / 2, Number(now[3]) * 2);
            Assert.True(Value(text, "hami_host_gpu_energy_joules_total", of) > 0);
            Assert.Equal(1, Value(text, "hami_host_gpu_healthy", of));
            Assert.Equal(0, Value(text, "hami_host_gpu_last_xid", of));
            // "N/A", of one kind or another, for what a card does not have.
            Assert.Equal(char.IsAsciiDigit(now[4][0]), Value(text, "hami_host_gpu_memory_temperature_celsius", of) is not null);
            Assert.Equal(char.IsAsciiDigit(now[5][0]), Value(text, "hami_host_gpu_fan_speed_ratio", of) is not null);
        }
    }

    [Fact]
    public void Every_call_that_the_agent_makes_is_known_to_the_driver()
    {
        Assert.SkipUnless(File.Exists("/proc/driver/nvidia/version"), "There is no NVIDIA driver on this machine.");
        using var nvml = NvmlLibrary.Open();
        Say($"driver {nvml.DriverVersion()}");
        for (var i = 0; i < nvml.Count(); i++)
        {
            var card = nvml.ByIndex(i);
            Assert.Equal(nvml.Uuid(card), nvml.Uuid(nvml.ByUuid(nvml.Uuid(card))));
            Assert.Equal(i, nvml.Index(card));
            Say($"{nvml.Name(card)} minor {nvml.Minor(card)} at {nvml.Pci(card).BusId}, compute capability {nvml.ComputeCapability(card)}, {nvml.Memory(card)}, {nvml.Utilization(card)}, "
                + $"{nvml.Temperature(card)} °C, {nvml.PowerMilliwatt(card)} mW, {nvml.EnergyMillijoule(card)} mJ, events {nvml.SupportedEvents(card)}");
            Say($"{nvml.ComputeProcesses(card).Length} compute, {nvml.GraphicsProcesses(card).Length} graphics processes, {nvml.ProcessSamples(card, 0).Length} samples");
            Answer("memory temperature", () => $"{nvml.MemoryTemperature(card)} °C");
            Answer("fan", () => $"{nvml.FanPercent(card)} %");
            Answer("links", () => string.Join(' ', Enumerable.Range(0, NvmlLibrary.MostLinks).Select(link => nvml.LinkIsActive(card, link))));
            Answer("link 0", () => $"{nvml.LinkRemote(card, 0).BusId} switch {nvml.LinkLeadsToSwitch(card, 0)}");
            // Read only: the mode stays as it is.
            Answer("MIG", () => $"{nvml.MigMode(card)}, at most {nvml.MostMigDevices(card)}");
            for (var profile = 0u; profile < 7; profile++)
                Answer($"profile {profile}", () => nvml.GpuInstanceProfile(card, profile) is var found
                    ? $"{found} at {string.Join(' ', nvml.PossiblePlacements(card, found.Id))}" : "");
        }
        var set = nvml.CreateEventSet();
        nvml.Register(nvml.ByIndex(0), NvmlEventTypes.XidCritical & nvml.SupportedEvents(nvml.ByIndex(0)), set);
        Assert.Null(nvml.Wait(set, TimeSpan.FromMilliseconds(200)));
        nvml.Free(set);
    }

    private static void Answer(string what, Func<string> ask)
    {
        try
        {
            Say($"{what}: {ask()}");
        }
        catch (NvmlException e)
        {
            // A card may lack it; the driver must not.
            Assert.NotEqual(NvmlResult.FunctionNotFound, e.Result);
            Say($"{what}: {e.Message}");
        }
    }

    private static List<string[]> Ask(string fields)
    {
        var start = new ProcessStartInfo("nvidia-smi", [$"--query-gpu={fields}", "--format=csv,noheader,nounits"]) { RedirectStandardOutput = true, UseShellExecute = false };
        using var smi = Process.Start(start)!;
        var text = smi.StandardOutput.ReadToEnd();
        smi.WaitForExit();
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(',', StringSplitOptions.TrimEntries))];
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static void Say(string line) => TestContext.Current.TestOutputHelper!.WriteLine(line);
}
