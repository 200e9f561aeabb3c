using Hami.Api.Plumbing.Telling;
using Hami.Lab.ApiServer;
using Hami.Domain.Placing;
using Hami.Tests.Given;
using Hami.Tests.Lab;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Plumbing;

/// <summary>Events on pods, from those who say them to <c>kubectl describe pod</c>.</summary>
public sealed class TellingAboutPods : IAsyncLifetime
{
    private readonly PodEvents _events = new();
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow()) { AutoAdvanceAmount = TimeSpan.Zero };
    private ApiServerGiven _lab = null!;
    private PodEventSender? _sender;
    private Kubernetes? _client;

    public async ValueTask InitializeAsync() => _lab = await ApiServerGiven.Running();

    [Fact]
    [Trait("Scoreboard", "H04")]
    public async Task Kubectl_describe_pod_shows_what_was_said()
    {
        using var kubectl = new KubectlGiven();
        Assert.SkipUnless(await kubectl.Reaches(_lab.Server), "kubectl is not installed.");
        var pod = await PodAsync("p");
        await StartAsync(_lab.Client);

        _events.Tell(pod, () => PodEventWords.FilteringFailed(
            WordingPodEvents.Refused(("n2", 1, [(CardRefusal.CardInsufficientMemory, 1)]), ("n1", 1, [(CardRefusal.CardInsufficientMemory, 1)])), 2));
        await UntilAsync(events => events.Count == 2);
        _events.Tell(pod, PodEventWords.FilteringSucceeded("n2", 1, 2, [("n3", 7.5), ("n2", 15)]));
        _events.Tell(pod, PodEventWords.BindingSucceeded("n2", "default", "p"));
        await UntilAsync(events => events.Count == 4);

        var described = await kubectl.Run("describe pod p");
        foreach (var line in new[]
        {
            "FilteringFailed.*hami-scheduler.*2 nodes CardInsufficientMemory\\(n1,n2\\)",
            "FilteringFailed.*no available node, 2 nodes do not meet",
            "Normal.*FilteringSucceed.*find fit node\\(n2\\), 1 nodes not fit, 2 nodes fit\\(n3:7.50,n2:15.00\\)",
            "Normal.*BindingSucceed.*Successfully binding node \\[n2\\] to default/p",
        })
        {
            Assert.Matches(line, described);
        }
    }

    [Fact]
    public async Task The_same_said_again_is_counted_on_the_one_event()
    {
        var pod = await PodAsync("p");
        await StartAsync(_lab.Client);

        for (var i = 0; i < 5; i++)
        {
            _events.Tell(pod, PodEventWords.BindingFailed("no"));
            await UntilAsync(events => events.Count == 1 && events[0].Count == i + 1);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        var only = Assert.Single(await EventsAsync());
        Assert.Equal(("BindingFailed", "Warning", "no"), (only.Reason, only.Type, only.Message));
        Assert.Equal(4, (only.LastTimestamp - only.FirstTimestamp)!.Value.TotalSeconds, tolerance: 0.01);
    }

    [Fact]
    public async Task Where_events_may_only_be_created_the_same_is_said_again_in_minutes()
    {
        var pod = await PodAsync("p");
        await StartAsync(await MayOnlyCreateAsync());
        _events.Tell(pod, PodEventWords.BindingFailed("no"));
        await UntilAsync(events => events.Count == 1);

        for (var i = 0; i < 10; i++)
            _events.Tell(pod, PodEventWords.BindingFailed("no"));
        _events.Tell(pod, PodEventWords.BindingFailed("another"));
        await UntilAsync(events => events.Any(e => e.Message == "another"));
        Assert.Equal(2, (await EventsAsync()).Count);

        _time.Advance(TimeSpan.FromMinutes(6));
        _events.Tell(pod, PodEventWords.BindingFailed("no"));
        await UntilAsync(events => events.Count == 3);
        Assert.Equal(12, (await EventsAsync()).Where(e => e.Message == "no").Max(e => e.Count));
    }

    [Fact]
    public async Task One_pod_cannot_keep_the_others_waiting()
    {
        var (noisy, other) = (await PodAsync("noisy"), await PodAsync("other"));
        for (var i = 0; i < 200; i++)
            _events.Tell(noisy, PodEventWords.FilteringFailed($"reason {i}"));
        _events.Tell(other, PodEventWords.BindingFailed("heard"));

        await StartAsync(_lab.Client);
        await UntilAsync(events => events.Any(e => e.Message == "heard"));

        Assert.Equal(25, (await EventsAsync()).Count(e => e.InvolvedObject.Name == "noisy"));
        Assert.Equal(175, _events.Dropped);
    }

    [Fact]
    public async Task While_the_API_server_is_away_nobody_waits_and_the_oldest_are_dropped()
    {
        var pod = await PodAsync("p");
        _lab.Server.Faults.BeforeApply = r => Task.FromResult(r.Path.Contains("/events", StringComparison.Ordinal) ? LabFault.DropRequest : LabFault.None);
        await StartAsync(_lab.Client);

        for (var i = 0; i < 30_000; i++)
            _events.Tell(new("default", $"p{i}", $"u{i}"), "FilteringFailed", PodEventType.Warning, "no");
        Assert.InRange(_events.Dropped, 19_000, 20_000);

        _lab.Server.Faults.BeforeApply = null;
        _events.Tell(pod, PodEventWords.BindingFailed("the last"));
        while ((await EventsAsync()).Count == 0)
        {
            _time.Advance(TimeSpan.FromSeconds(30));
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_namespace_that_is_gone_stops_nothing()
    {
        await StartAsync(_lab.Client);
        _events.Tell(new("gone", "p", "u"), PodEventWords.BindingFailed("nobody hears"));
        var pod = await PodAsync("p");
        _events.Tell(pod, PodEventWords.BindingFailed("heard"));

        await UntilAsync(events => events.Any(e => e.Message == "heard"));
        Assert.Equal(1, _events.Dropped);
    }

    public async ValueTask DisposeAsync()
    {
        if (_sender is not null)
            await _sender.StopAsync(CancellationToken.None);
        _sender?.Dispose();
        _client?.Dispose();
        await _lab.DisposeAsync();
    }

    private async Task StartAsync(IKubernetes client)
    {
        _sender = new(_events, client, new("hami-scheduler"), _time, NullLogger<PodEventSender>.Instance);
        await _sender.StartAsync(CancellationToken.None);
    }

    private async Task<PodReference> PodAsync(string name)
    {
        var pod = await _lab.Create(ApiServerGiven.Pod(name));
        return new(pod.Namespace(), pod.Name(), pod.Uid(), pod.ResourceVersion());
    }

    private async Task<IList<Corev1Event>> EventsAsync() => (await _lab.Client.CoreV1.ListNamespacedEventAsync("default")).Items;

    private Task UntilAsync(Func<IList<Corev1Event>, bool> holds) =>
        ControlPlaneScene.UntilAsync(async () => holds(await EventsAsync()), () => string.Join('\n', EventsAsync().Result.Select(e => $"{e.Count}x {e.Message}")));

    /// <summary>HAMi's role: events may be created, read and listed.</summary>
    private async Task<Kubernetes> MayOnlyCreateAsync()
    {
        await _lab.Send("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
            """{"metadata":{"name":"hami"},"rules":[{"apiGroups":[""],"resources":["events"],"verbs":["create","get","list"]}]}""");
        await _lab.Send("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
            """{"metadata":{"name":"hami"},"roleRef":{"kind":"Role","name":"hami"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}""");
        var (_, token) = await _lab.Send("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", """{"spec":{"expirationSeconds":3600}}""");
        return _client = new Kubernetes(new KubernetesClientConfiguration { Host = _lab.Server.Address.ToString(), AccessToken = (string)token!["status"]!["token"]! });
    }
}

/// <summary>HAMi's words on events, which people search for.</summary>
public sealed class WordingPodEvents
{
    [Fact]
    [Trait("Scoreboard", "H04")]
    public void A_pod_without_a_node_gets_one_event_per_reason_with_the_nodes_names_and_one_that_sums_up() => Assert.Equal(
        [
            "1 nodes AllocatedCardsInsufficientRequest(n3)",
            "3 nodes CardInsufficientMemory(n1,n2,n3)",
            "no available node, 5 nodes do not meet",
        ],
        PodEventWords.FilteringFailed(
            Refused(
                ("n2", 1, [(CardRefusal.CardInsufficientMemory, 1)]),
                ("n1", 2, [(CardRefusal.CardInsufficientMemory, 2)]),
                ("n4", 1, [(CardRefusal.NodeInsufficientDevice, 1)]),
                ("n3", 4, [(CardRefusal.AllocatedCardsInsufficientRequest, 1), (CardRefusal.CardInsufficientMemory, 3)])),
            5).Select(e => e.Message));

    [Fact]
    public void In_a_large_cluster_a_message_stays_within_what_Kubernetes_allows_and_counts_all()
    {
        var nodes = Enumerable.Range(0, 5000).Select(i => $"a-node-with-a-long-name-{i:D5}").ToList();

        var failed = PodEventWords.FilteringFailed(
            Refused([.. nodes.Select(n => (n, 8, new[] { (CardRefusal.CardInsufficientMemory, 8) }))]), nodes.Count).First().Message;
        Assert.InRange(failed.Length, 800, PodEventWords.LongestMessage);
        Assert.StartsWith("5000 nodes CardInsufficientMemory(a-node-with-a-long-name-00000,", failed, StringComparison.Ordinal);
        Assert.EndsWith(",…)", failed, StringComparison.Ordinal);

        var fit = PodEventWords.FilteringSucceeded("a-node-with-a-long-name-04999", 7, 5000, [.. nodes.Select((n, i) => (n, (double)i))]).Message;
        Assert.InRange(fit.Length, 500, PodEventWords.LongestMessage);
        Assert.Contains("7 nodes not fit, 5000 nodes fit(…,", fit, StringComparison.Ordinal);
        Assert.EndsWith(",a-node-with-a-long-name-04999:4999.00)", fit, StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_of_any_length_fits() => Assert.Equal(PodEventWords.LongestMessage, PodEventWords.BindingFailed(new string('x', 100_000)).Message.Length);

    internal static RefusedNodes Refused(params (string Node, int Cards, (CardRefusal, int)[] Counts)[] nodes) =>
        new([.. nodes.Select(n => new NodeUnfit(n.Node, new(n.Cards, [.. n.Counts])))], nodes.Sum(n => n.Cards), []);
}
