using System.Text.Json;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Lab;

/// <summary>What the scheduler writes about pods, compared with what a real kube-scheduler 1.36 wrote.</summary>
public sealed class SchedulerTelling : IAsyncLifetime
{
    private const string Sentence =
        "0/3 nodes are available: 3 8/8 CardInsufficientMemory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.";

    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 19, 46, 20, TimeSpan.Zero));
    private LabApiServer _server = null!;
    private Kubernetes _kubernetes = null!;
    private SchedulerEvents _events = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await LabApiServer.StartAsync(new(), Cancellation);
        _kubernetes = new(new KubernetesClientConfiguration { Host = _server.Address.ToString(), AccessToken = "lab" });
        _events = new(_kubernetes, _time);
    }

    public async ValueTask DisposeAsync()
    {
        _kubernetes.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public void The_condition_is_patched_as_recorded()
    {
        var patch = PodConditions.Patch(new(), Condition(Sentence), nominated: "", _time.GetUtcNow());

        const string Recorded =
            $$$"""{"status":{"conditions":[{"lastProbeTime":null,"lastTransitionTime":"2026-11-23T19:46:20Z","message":"{{{Sentence}}}","observedGeneration":1,"reason":"Unschedulable","status":"False","type":"PodScheduled"}]}}""";
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(Recorded), JsonNode.Parse((string)patch!.Content)), (string)patch.Content);
        Assert.Equal(V1Patch.PatchType.StrategicMergePatch, patch.Type);
    }

    [Fact]
    public void What_the_status_says_already_is_not_patched_again()
    {
        var had = Condition("a");
        had.LastTransitionTime = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var status = new V1PodStatus { Conditions = [had], NominatedNodeName = "n" };

        Assert.Null(PodConditions.Patch(status, Condition("a"), nominated: null, _time.GetUtcNow()));
        Assert.Null(PodConditions.Patch(status, Condition("a"), nominated: "n", _time.GetUtcNow()));
        Assert.Equal("""{"status":{"nominatedNodeName":null}}""", PodConditions.Patch(status, Condition("a"), nominated: "", _time.GetUtcNow())!.Content);
        // Still not scheduled, so the time of the change stays.
        Assert.Contains("\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"", (string)PodConditions.Patch(status, Condition("b"), nominated: null, _time.GetUtcNow())!.Content);
    }

    [Fact]
    public async Task An_event_has_what_was_recorded()
    {
        await Tell("a", version: "526");

        var written = Assert.Single(await Written());
        Assert.StartsWith("nofit1.18eac43f", written.Name(), StringComparison.Ordinal);
        Assert.Equal(
            ("hami-scheduler", "Scheduling", "FailedScheduling", "Warning", "a"), (written.ReportingController, written.Action, written.Reason, written.Type, written.Note));
        Assert.StartsWith("hami-scheduler-", written.ReportingInstance, StringComparison.Ordinal);
        Assert.Equal(
            """{"apiVersion":"v1","kind":"Pod","name":"nofit1","namespace":"default","resourceVersion":"526","uid":"u"}""",
            JsonSerializer.Serialize(JsonNode.Parse(KubernetesJson.Serialize(written.Regarding))!.AsObject().OrderBy(m => m.Key, StringComparer.Ordinal).ToDictionary()));
    }

    [Fact]
    public async Task The_same_again_is_a_series_that_is_written_the_second_time_and_when_it_ends()
    {
        using var stop = new CancellationTokenSource();
        var tending = _events.Tend(stop.Token);
        await Tell("a");
        Assert.Null(Assert.Single(await Written()).Series);

        // Whatever the note says.
        await Tell("b");
        Assert.Equal(2, Assert.Single(await Written()).Series!.Count);
        await Tell("a");
        await Tell("a");
        Assert.Equal(2, Assert.Single(await Written()).Series!.Count);

        await KubeletScene.Eventually(async () =>
        {
            _time.Advance(TimeSpan.FromMinutes(6));
            return Assert.Single(await Written()).Series!.Count == 4;
        });
        await Tell("a");
        Assert.Equal(2, (await Written()).Count);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => tending);
    }

    [Fact]
    public async Task Another_version_of_the_pod_gets_an_event_of_its_own()
    {
        await Tell("a", version: "526");
        _time.Advance(TimeSpan.FromMilliseconds(50));
        await Tell("a", version: "527");

        Assert.Equal(["526", "527"], (await Written()).Select(e => e.Regarding.ResourceVersion).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_series_whose_first_event_the_server_forgot_is_written_anew()
    {
        await Tell("a");
        await _kubernetes.EventsV1.DeleteNamespacedEventAsync(Assert.Single(await Written()).Name(), "default", cancellationToken: Cancellation);

        await Tell("a");

        Assert.Equal(2, Assert.Single(await Written()).Series!.Count);
    }

    [Fact]
    public async Task A_note_longer_than_the_server_takes_is_cut()
    {
        await Tell(new string('a', 2000));

        Assert.Equal(new string('a', 1020) + " ...", Assert.Single(await Written()).Note);
    }

    private static V1PodCondition Condition(string message) =>
        new() { Type = "PodScheduled", Status = "False", Reason = "Unschedulable", Message = message, ObservedGeneration = 1 };

    private Task Tell(string note, string version = "1")
    {
        var pod = new V1Pod
        {
            Metadata = new() { Name = "nofit1", NamespaceProperty = "default", Uid = "u", ResourceVersion = version },
            Spec = new() { Containers = [] },
        };
        return _events.Write(new(new(pod), "hami-scheduler", "Warning", "FailedScheduling", "Scheduling", note), Cancellation);
    }

    private async Task<IList<Eventsv1Event>> Written() => (await _kubernetes.EventsV1.ListNamespacedEventAsync("default", cancellationToken: Cancellation)).Items;
}
