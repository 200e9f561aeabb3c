using System.Text.Json;
using Hami.Bench.Throughput;
using Hami.Lab.Hollow;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Bench;

public sealed class ThroughputCounting
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_pod_counts_once_it_runs_and_its_devices_are_handed_out()
    {
        var times = new PodTimes(expected: 2, _time);
        times.Sent("a");
        _time.Advance(TimeSpan.FromSeconds(1));
        times.Sent("b");
        _time.Advance(TimeSpan.FromSeconds(1));
        await Seen(times, "a", "Running", "allocating");
        await Seen(times, "a", "Pending", "success");
        await Seen(times, "stranger", "Running", "success");
        Assert.Equal(0, times.Running);

        await Seen(times, "a", "Running", "success");
        _time.Advance(TimeSpan.FromSeconds(3));
        Assert.False(times.All.IsCompleted);
        await Seen(times, "b", "Running", "success");
        await Seen(times, "b", "Running", "success");

        Assert.True(times.All.IsCompletedSuccessfully);
        Assert.Equal(TimeSpan.FromSeconds(5), times.Whole);
        Assert.Equal((2000, 4000), (times.Quantile(0.5), times.Quantile(0.99)));
    }

    [Fact]
    public async Task A_pod_that_fails_ends_the_run_with_its_message()
    {
        var times = new PodTimes(expected: 1, _time);
        times.Sent("a");

        await Seen(times, "a", "Failed", "failed");

        Assert.Equal("The pod a failed: Pod was rejected", (await Assert.ThrowsAsync<InvalidOperationException>(() => times.All)).Message);
    }

    [Fact]
    public void Processor_time_is_that_of_the_process_and_its_children()
    {
        var ours = ProcessorTime.Of(Environment.ProcessId);
        Assert.True(ours > 0);
        Assert.True(ProcessorTime.OfFamily(Environment.ProcessId) >= ours);
        Assert.Equal(0, ProcessorTime.Of(int.MaxValue));
    }

    private static Task Seen(PodTimes times, string name, string phase, string bindPhase)
    {
        var pod = JsonSerializer.SerializeToElement(new
        {
            metadata = new { name, annotations = new Dictionary<string, string>(StringComparer.Ordinal) { ["hami.io/bind-phase"] = bindPhase } },
            status = new { phase, message = "Pod was rejected" },
        });
        return times.Seen(PodChange.Seen, pod);
    }
}
