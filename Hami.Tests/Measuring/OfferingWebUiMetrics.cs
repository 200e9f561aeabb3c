using System.Buffers;
using System.Text;
using Hami.Api.Measuring;
using Hami.Api.Observing;
using Hami.Domain.Ledger;
using Hami.Tests.Given;
using Hami.Tests.Observing;
using Microsoft.Extensions.Time.Testing;
using static Hami.Tests.Observing.TelemetryGiven;

namespace Hami.Tests.Measuring;

/// <summary>The metrics of HAMi-WebUI's exporter, from the ledger and from what node agents tell.</summary>
public sealed class OfferingWebUiMetrics
{
    [Fact]
    [Trait("Scoreboard", "N08")]
    public void Names_labels_and_values_are_as_approved() => ApprovedText.Is("metrics-of-the-webui.txt", Text(told: true));

    [Fact]
    [Trait("Scoreboard", "N08")]
    public void What_nobody_told_has_no_series_and_is_never_0()
    {
        var text = Text(told: false);
        var series = text.Split('\n').Where(l => l.Length > 0 && l[0] != '#').Select(l => l[..l.IndexOf('{', StringComparison.Ordinal)]).ToHashSet(StringComparer.Ordinal);

        Assert.Equal(
            ["hami_container_vcore_allocated", "hami_container_vgpu_allocated", "hami_container_vmemory_allocated", "hami_core_size", "hami_memory_size", "hami_vcore_scaling", "hami_vcore_size", "hami_vgpu_count", "hami_vmemory_size"],
            series.Order(StringComparer.Ordinal));
    }

    [Fact]
    [Trait("Scoreboard", "N08")]
    public void Compute_that_was_not_asked_for_is_0_and_of_it_no_percentage_is_told()
    {
        var lines = Text(told: true).Split('\n');

        Assert.EndsWith(" 0", Assert.Single(lines, l => l.StartsWith("hami_container_vcore_allocated{", StringComparison.Ordinal) && l.Contains("pod_name=\"serve\"", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains(lines, l => l.StartsWith("hami_container_core_used{", StringComparison.Ordinal) && l.Contains("pod_name=\"serve\"", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, l => l.StartsWith("hami_container_core_util{", StringComparison.Ordinal) && l.Contains("pod_name=\"serve\"", StringComparison.Ordinal));
    }

    private static string Text(bool told)
    {
        var ledger = ClusterLedger.Evolve(
            ClusterLedger.Empty, Streams.Node("n1"), default,
            new NodeEvent.DevicesRegistered("n1",
            [
                new("GPU-a", 0, "NVIDIA A100-SXM4-40GB", 81920, 100, 10, 0, "hami-core", true),
                new("GPU-b", 1, "NVIDIA A100-SXM4-40GB", 40960, 100, 10, 1, "hami-core", true),
            ]));
        ledger = Place(ledger, "uid-1", "train", new Share(0, "main", false, "GPU-a", 20480, 30), new Share(1, "side", false, "GPU-b", 1024, 10));
        ledger = Place(ledger, "uid-2", "serve", new Share(0, "main", false, "GPU-a", 4096, 0));
        var telemetry = new LiveTelemetry(new LedgerOf(ledger), new FakeTimeProvider(Noon));
        if (told)
        {
            var report = Report("n1", new HeardMoment(Noon,
            [
                (new("GPU-a", "", ""), new(55, 10L << 30, 40L << 30, 61, 250_500)),
                (new("GPU-b", "", ""), new(null, 1L << 30, 40L << 30)),
                (new("GPU-a", "uid-1", "main"), new(15, 5L << 30)),
                (new("GPU-b", "uid-1", "side"), new(null, 512L << 20)),
                (new("GPU-a", "uid-2", "main"), new(40, 1L << 30)),
            ]));
            report.DriverVersion = "580.159.04";
            (report.Cards[0].MemoryTemperatureCelsius, report.Cards[0].FanPercent, report.Cards[0].LastXid) = (72, 35, 79);
            report.Cards[1].LastXid = 0;
            telemetry.Hear(report);
        }
        var bytes = new ArrayBufferWriter<byte>();
        var exposition = new Exposition(bytes);
        foreach (var family in WebUiFamilies.Of(ledger, telemetry))
        {
            exposition.Begin(family);
            foreach (var sample in family.Samples)
                exposition.Write(family, sample);
        }
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    private static ClusterLedger Place(ClusterLedger cluster, string uid, string pod, params Share[] shares) => ClusterLedger.Evolve(
        cluster, Streams.Node("n1"), default,
        new NodeEvent.AllocationPlaced(Guid.NewGuid(), uid, "default", pod, "n1", 2, shares, new(0, 0, [], "binpack", "spread", 0, [])));
}
