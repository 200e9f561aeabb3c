using Hami.Lab.ApiServer;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>The stand-in scheduler between an API server and an extender.</summary>
public sealed class SchedulerPlacing : SchedulerScene
{
    [Fact]
    public async Task A_pod_that_asks_cards_is_filtered_and_bound_by_the_extender_once()
    {
        await Nodes("node-b", "node-a", "node-c");
        await Start();

        await Create("p1");
        var pod = await Until("p1", p => p.Spec.NodeName is not null);

        var filter = Assert.Single(_extender.Filters);
        Assert.Equal(["Pod", "Nodes", "NodeNames"], filter.Select(m => m.Key));
        Assert.Equal("""["node-a","node-b","node-c"]""", filter["NodeNames"]!.ToJsonString());
        Assert.Equal(pod.Uid(), filter["Pod"]!["metadata"]!["uid"]!.GetValue<string>());
        Assert.Equal(
            $$"""{"PodName":"p1","PodNamespace":"default","PodUID":"{{pod.Uid()}}","Node":"{{pod.Spec.NodeName}}"}""",
            Assert.Single(_extender.Binds).ToJsonString());
        await Eventually(async () => (await Events("p1")).Contains($"Scheduled: Successfully assigned default/p1 to {pod.Spec.NodeName}"));
    }

    [Fact]
    public async Task An_extender_that_ranks_decides_among_the_nodes_that_fit()
    {
        await Nodes("node-a", "node-b", "node-c");
        _extender.Prioritize = _ => Task.FromResult("""[{"Host":"node-a","Score":1},{"Host":"node-b","Score":7},{"Host":"node-c","Score":7}]""");
        await Start(change: e => e with { PrioritizeVerb = "prioritize" });

        await Create("p1");

        await Until("p1", p => p.Spec.NodeName is "node-b" or "node-c");
        Assert.Equal(["Pod", "Nodes", "NodeNames"], Assert.Single(_extender.Priorities).Select(m => m.Key));
    }

    [Theory]
    [InlineData(1, 1, "empty")]
    [InlineData(1, 30, "busy")]
    [InlineData(10, 3, "busy")]
    public async Task An_extenders_scores_count_ten_times_and_by_its_weight_beside_the_schedulers_own(int score, int weight, string goesTo)
    {
        await Nodes("busy", "empty");
        // The scheduler itself would rather have the empty node, by some 80 points.
        await Create("there", gpus: 0, scheduler: null, cpu: "3");
        await Bind("there", "busy");
        _extender.Prioritize = _ => Task.FromResult($$"""[{"Host":"busy","Score":{{score}}},{"Host":"nobody","Score":10}]""");
        await Start(change: e => e with { PrioritizeVerb = "prioritize", Weight = weight });

        await Create("p1", cpu: "1");

        Assert.Equal(goesTo, (await Until("p1", p => p.Spec.NodeName is not null)).Spec.NodeName);
    }

    [Fact]
    public async Task An_extender_that_cannot_rank_leaves_it_to_the_scheduler()
    {
        await Nodes("node-a", "node-b");
        _extender.Prioritize = _ => Task.FromResult("");
        await Start(change: e => e with { PrioritizeVerb = "prioritize" });

        await Create("p1");

        await Until("p1", p => p.Spec.NodeName is not null);
        Assert.Single(_extender.Priorities);
    }

    [Fact]
    public async Task A_pod_without_cards_is_bound_by_the_scheduler_itself()
    {
        await Nodes("node-a");
        await Start();

        await Create("p1", gpus: 0, scheduler: null);

        await Until("p1", p => p.Spec.NodeName == "node-a");
        Assert.Empty(_extender.Filters);
        Assert.Empty(_extender.Binds);
    }

    [Fact]
    public async Task A_pod_of_another_scheduler_is_left_alone()
    {
        await Nodes("node-a");
        await Start();

        await Create("p1", scheduler: "somebody-else");
        await Create("p2");
        await Until("p2", p => p.Spec.NodeName is not null);

        Assert.Null((await _kubernetes.CoreV1.ReadNamespacedPodAsync("p1", "default")).Spec.NodeName);
    }

    [Fact]
    [Trait("Scoreboard", "B11")]
    public async Task Only_ready_uncordoned_and_selected_nodes_are_offered()
    {
        await Nodes("node-a", "node-b", "node-c", "node-d");
        await _kubernetes.CoreV1.PatchNodeAsync(new V1Patch("""{"spec":{"unschedulable":true}}""", V1Patch.PatchType.MergePatch), "node-a");
        await Ready("node-b", "False");
        await Label("node-c", "pool", "x");
        await Label("node-a", "pool", "x");
        await Start();

        await Create("p1", selector: ("pool", "x"));

        await Until("p1", p => p.Spec.NodeName == "node-c");
        Assert.Equal("""["node-c"]""", _extender.Filters.Single()["NodeNames"]!.ToJsonString());
    }

    [Fact]
    public async Task A_refused_pod_says_why_in_condition_and_event_and_is_tried_again_only_by_its_own_condition()
    {
        await Nodes("node-a", "node-b", "node-c");
        _extender.Filter = RefuseAll;
        await Start();

        await Create("p1");
        var pod = await Until("p1", p => p.Status.Conditions?.Any(c => c.Type == "PodScheduled") == true);

        const string Sentence =
            "0/3 nodes are available: 3 8/8 CardInsufficientMemory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.";
        var condition = pod.Status.Conditions.Single(c => c.Type == "PodScheduled");
        Assert.Equal(("False", "Unschedulable", Sentence), (condition.Status, condition.Reason, condition.Message));
        await Eventually(async () => (await Events("p1")).Contains($"FailedScheduling: {Sentence}"));
        await UntilParked("p1");
        await Task.Delay(300);
        // Recorded: the second /filter has the condition in it, and no third comes.
        Assert.Equal([false, true], _extender.Filters.Select(f => f["Pod"]!["status"]!["conditions"] is not null));
    }

    [Theory]
    [InlineData("a node's annotation")]
    [InlineData("a node's label")]
    [InlineData("its own annotation")]
    [InlineData("an assigned pod deleted")]
    [InlineData("an assigned pod done")]
    [InlineData("a pod that was bound")]
    public async Task A_refused_pod_is_woken_by(string what)
    {
        await Nodes("node-a");
        await Create("other", gpus: 0);
        await Bind("other", "node-a");
        _extender.Filter = RefuseAll;
        await Start();
        await Create("p1");
        await UntilParked("p1");
        _extender.Filter = FitAll;

        await (what switch
        {
            "a node's annotation" => (Task)_kubernetes.CoreV1.PatchNodeAsync(Merge("""{"metadata":{"annotations":{"a":"1"}}}"""), "node-a"),
            "a node's label" => Label("node-a", "a", "1"),
            "its own annotation" => _kubernetes.CoreV1.PatchNamespacedPodAsync(Merge("""{"metadata":{"annotations":{"hami.io/wake":"1"}}}"""), "p1", "default"),
            "an assigned pod deleted" => _kubernetes.CoreV1.DeleteNamespacedPodAsync("other", "default", new V1DeleteOptions { GracePeriodSeconds = 0 }),
            "a pod that was bound" => Create("another", gpus: 0),
            _ => _kubernetes.CoreV1.PatchNamespacedPodStatusAsync(Merge("""{"status":{"phase":"Succeeded"}}"""), "other", "default"),
        });

        await Until("p1", p => p.Spec.NodeName == "node-a");
        Assert.Equal(3, _extender.Filters.Count);
    }

    [Fact]
    public async Task A_heartbeat_of_a_node_wakes_nobody()
    {
        await Nodes("node-a");
        _extender.Filter = RefuseAll;
        await Start();
        await Create("p1");
        await UntilParked("p1");

        await Ready("node-a", "True");
        await Task.Delay(300);

        Assert.Equal(2, _extender.Filters.Count);
    }

    [Theory]
    [InlineData("""{"Error":"the journal is away"}""", "the journal is away")]
    [InlineData("", "code 500")]
    [InlineData("nonsense", "is not JSON")]
    public async Task An_extender_that_cannot_answer_is_asked_again_after_a_back_off(string answer, string words)
    {
        await Nodes("node-a");
        var asked = 0;
        _extender.Filter = body => Interlocked.Increment(ref asked) == 1 ? Task.FromResult(answer) : FitAll(body);
        await Start();
        var start = TimeProvider.System.GetTimestamp();

        await Create("p1");
        await Until("p1", p => p.Spec.NodeName == "node-a");

        Assert.True(TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(0.9));
        Assert.Contains(await Events("p1"), e => e.StartsWith("FailedScheduling", StringComparison.Ordinal) && e.Contains(words));
    }

    [Fact]
    public async Task An_extender_that_hangs_is_given_up_after_the_timeout_and_asked_again()
    {
        await Nodes("node-a");
        var asked = 0;
        _extender.Filter = async body =>
        {
            if (Interlocked.Increment(ref asked) == 1)
                await Task.Delay(1500);
            return await FitAll(body);
        };
        await Start(TimeSpan.FromMilliseconds(300));

        await Create("p1");

        await Until("p1", p => p.Spec.NodeName == "node-a");
        Assert.Equal(2, _extender.Filters.Count);
    }

    [Fact]
    public async Task A_bind_that_fails_is_tried_again_from_the_filter()
    {
        await Nodes("node-a");
        var asked = 0;
        var bind = _extender.Bind;
        _extender.Bind = body => Interlocked.Increment(ref asked) == 1 ? Task.FromResult("""{"Error":"node lock contention"}""") : bind(body);
        await Start();

        await Create("p1");
        await Until("p1", p => p.Spec.NodeName == "node-a");

        Assert.Equal((2, 2), (_extender.Filters.Count, _extender.Binds.Count));
    }

    [Fact]
    public async Task While_one_pod_is_being_bound_the_next_is_filtered_and_neither_is_bound_twice()
    {
        await Nodes("node-a");
        var second = new TaskCompletionSource();
        var bind = _extender.Bind;
        _extender.Filter = body =>
        {
            if (body["Pod"]!["metadata"]!["name"]!.GetValue<string>() == "p2")
                second.TrySetResult();
            return FitAll(body);
        };
        _extender.Bind = async body =>
        {
            // p1's bind ends only when p2 has been filtered, and p1 changes in between.
            if (body["PodName"]!.GetValue<string>() == "p1")
            {
                await _kubernetes.CoreV1.PatchNamespacedPodAsync(Merge("""{"metadata":{"annotations":{"a":"1"}}}"""), "p1", "default");
                await second.Task;
            }
            return await bind(body);
        };
        await Start();

        await Create("p1");
        await Create("p2");
        await Until("p1", p => p.Spec.NodeName == "node-a");
        await Until("p2", p => p.Spec.NodeName == "node-a");
        await Task.Delay(200);

        Assert.Equal(["p1", "p2"], _extender.Binds.Select(b => b["PodName"]!.GetValue<string>()).Order(StringComparer.Ordinal));
        Assert.Equal(2, _extender.Filters.Count);
    }

    [Fact]
    public async Task The_scheduler_goes_on_when_the_API_server_was_away()
    {
        await Nodes("node-a");
        // The new server never knew node-a; the scheduler may still offer it until it has listed nodes again.
        _extender.Filter = body => body["NodeNames"]!.AsArray().Any(n => n!.GetValue<string>() == "node-b")
            ? Task.FromResult("""{"NodeNames":["node-b"],"Error":""}""")
            : RefuseAll(body);
        await Start();

        var port = _server.Address.Port;
        await _server.DisposeAsync();
        _server = await LabApiServer.StartAsync(new() { Port = port }, TestContext.Current.CancellationToken);
        // The test's own client starts anew; the scheduler keeps its stale connections and has to cope.
        _kubernetes = new(new KubernetesClientConfiguration { Host = _server.Address.ToString(), AccessToken = "lab" });
        await Nodes("node-b");
        await Create("p1");

        await Until("p1", p => p.Spec.NodeName == "node-b");
    }

    [Fact]
    public async Task A_pod_deleted_while_it_waits_is_forgotten()
    {
        await Nodes("node-a");
        _extender.Filter = RefuseAll;
        await Start();
        await Create("p1");
        await UntilParked("p1");

        await _kubernetes.CoreV1.DeleteNamespacedPodAsync("p1", "default", new V1DeleteOptions { GracePeriodSeconds = 0 });
        await Create("p2");
        await UntilParked("p2");
        await Label("node-a", "a", "1");
        await Eventually(() => Task.FromResult(_extender.Filters.Count == 5));

        Assert.Equal(["p1", "p1", "p2", "p2", "p2"], _extender.Filters.Select(f => f["Pod"]!["metadata"]!["name"]!.GetValue<string>()));
    }

    [Fact]
    public async Task A_node_that_is_not_sampled_is_never_offered_so_all_must_be_asked_for()
    {
        // 101 nodes, one free card: kube-scheduler's own sample is satisfied with any 100.
        await Nodes([.. Enumerable.Range(0, 101).Select(i => $"node-{i:000}")]);
        _extender.Filter = body => body["NodeNames"]!.AsArray().Any(n => n!.GetValue<string>() == "node-100")
            ? Task.FromResult("""{"NodeNames":["node-100"],"Error":""}""")
            : RefuseAll(body);
        await Start(percentage: 0);
        await Create("sampled");
        await Until("sampled", p => p.Status.Conditions?.Any(c => c.Type == "PodScheduled") == true);
        Assert.Equal(100, _extender.Filters.First()["NodeNames"]!.AsArray().Count);
        await _scheduler!.DisposeAsync();

        await Start(percentage: 100);

        await Until("sampled", p => p.Spec.NodeName == "node-100");
    }

    [Fact]
    public async Task An_extender_without_a_cache_of_its_own_gets_whole_nodes()
    {
        await Nodes("node-a");
        _extender.Filter = body => Task.FromResult($$"""{"Nodes":{{body["Nodes"]!.ToJsonString()}},"Error":""}""");
        await Start(change: e => e with { NodeCacheCapable = false });

        await Create("p1");

        await Until("p1", p => p.Spec.NodeName == "node-a");
        Assert.Equal("110", _extender.Filters.Single()["Nodes"]!["items"]![0]!["status"]!["allocatable"]!["pods"]!.GetValue<string>());
    }

    [Fact]
    public async Task Without_an_extender_that_may_be_ignored_pods_are_placed_all_the_same()
    {
        await Nodes("node-a");
        await Start(change: e => e with { Url = new("http://127.0.0.1:1/"), Ignorable = true });

        await Create("p1");

        await Until("p1", p => p.Spec.NodeName == "node-a");
    }

    [Fact]
    public async Task While_the_extender_is_down_pods_wait_and_say_so()
    {
        await Nodes("node-a");
        await Start(change: e => e with { Url = new("http://127.0.0.1:1/") });

        await Create("p1");
        var pod = await Until("p1", p => p.Status.Conditions?.Any(c => c.Type == "PodScheduled") == true);

        var condition = pod.Status.Conditions.Single(c => c.Type == "PodScheduled");
        Assert.Equal(
            ("SchedulerError", "Post \"http://127.0.0.1:1/filter\": dial tcp 127.0.0.1:1: connect: connection refused"), (condition.Reason, condition.Message));
    }

    [Fact]
    public async Task A_node_without_any_hope_is_told_apart_from_one_that_may_become_free()
    {
        await Nodes("node-a", "node-b");
        _extender.Filter = _ => Task.FromResult(
            """{"NodeNames":[],"FailedNodes":{"node-a":"card busy","node-b":"card busy"},"FailedAndUnresolvableNodes":{"node-b":"no card"},"Error":""}""");
        await Start();

        await Create("p1");

        await Eventually(async () => (await Events("p1")).Contains(
            "FailedScheduling: 0/2 nodes are available: 1 card busy, 1 no card. no new claims to deallocate, preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."));
    }

    [Fact]
    public async Task A_lost_reply_to_a_bind_that_was_made_leads_to_no_second_one()
    {
        await Nodes("node-a");
        var bind = _extender.Bind;
        _extender.Bind = async body =>
        {
            await bind(body);
            await Until("p1", p => p.Spec.NodeName == "node-a");
            return "";
        };
        await Start();

        await Create("p1");
        await Until("p1", p => p.Spec.NodeName == "node-a");
        await Eventually(async () => (await Events("p1")).Any(e => e.Contains("code 500")));
        await Create("p2", gpus: 0);
        await Until("p2", p => p.Spec.NodeName == "node-a");

        Assert.Single(_extender.Binds);
    }

    [Fact]
    public async Task What_a_pod_on_its_way_asks_is_not_given_to_the_next()
    {
        await Nodes("node-a");
        var go = new TaskCompletionSource();
        var bind = _extender.Bind;
        _extender.Bind = async body =>
        {
            await go.Task;
            return await bind(body);
        };
        await Start();

        await Create("p1", cpu: "3");
        await Create("p2", cpu: "2", gpus: 0);
        await Eventually(async () => (await Events("p2")).Any(e => e.StartsWith("FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.", StringComparison.Ordinal)));
        go.SetResult();

        await Until("p1", p => p.Spec.NodeName == "node-a");
    }

    [Fact]
    public async Task A_cluster_without_nodes_says_so_and_is_asked_again()
    {
        await Start();

        await Create("p1");
        await Eventually(async () => (await Events("p1")).Contains("FailedScheduling: no nodes available to schedule pods"));
        await Nodes("node-a");

        await Until("p1", p => p.Spec.NodeName == "node-a");
    }

    [Fact]
    public async Task Extenders_are_asked_in_order_and_the_first_that_binds_does_so()
    {
        await using var second = await SchedulerTestExtender.Start();
        await Nodes("node-a", "node-b", "node-c");
        _extender.Filter = _ => Task.FromResult("""{"NodeNames":["node-c","node-b"],"FailedNodes":{"node-a":"x"},"Error":""}""");
        second.Filter = _ => Task.FromResult("""{"NodeNames":["node-b"],"FailedNodes":{"node-c":"y"},"Error":""}""");
        _scheduler = await LabScheduler.StartAsync(
            new() { Kubernetes = _kubernetes, Extenders = [Extender(null) with { BindVerb = null }, new() { Url = second.Address, ManagedResources = [] }] },
            TestContext.Current.CancellationToken);
        second.Bind = _extender.Bind;

        await Create("p1");

        await Until("p1", p => p.Spec.NodeName == "node-b");
        Assert.Equal("""["node-c","node-b"]""", Assert.Single(second.Filters)["NodeNames"]!.ToJsonString());
        Assert.Equal((0, 1), (_extender.Binds.Count, second.Binds.Count));
    }

    [Fact]
    public async Task Each_profile_speaks_under_its_own_name()
    {
        await Nodes("node-a");
        await Start();

        await Create("p1", gpus: 0, scheduler: "default-scheduler");
        await Create("p2", gpus: 0, scheduler: "hami-scheduler");

        await Eventually(async () => (await _kubernetes.EventsV1.ListNamespacedEventAsync("default")).Items
            .Where(e => e.Reason == "Scheduled")
            .Select(e => (e.Regarding.Name, e.ReportingController))
            .Order()
            .SequenceEqual([("p1", "default-scheduler"), ("p2", "hami-scheduler")]));
    }
}
