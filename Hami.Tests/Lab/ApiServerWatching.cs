using System.Net;
using System.Text.Json.Nodes;
using CsCheck;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>A watch tells everything once, in order.</summary>
public sealed class ApiServerWatching
{
    private const string Pods = "/api/v1/namespaces/default/pods";

    [Fact]
    public async Task A_watch_begins_with_what_is_there_and_goes_on_with_what_happens()
    {
        await using var lab = await Running();
        await lab.Create(Pod("a"));
        var seen = new List<string>();
        await foreach (var (type, pod) in lab.Watch($"{Pods}?watch=true", Cancellation))
        {
            seen.Add($"{type} {pod["metadata"]!["name"]}");
            if (seen.Count == 1)
            {
                await lab.Create(Pod("b"));
                await lab.Client.CoreV1.PatchNamespacedPodAsync(new V1Patch("""{"metadata":{"labels":{"a":"b"}}}""", V1Patch.PatchType.MergePatch), "b", "default", cancellationToken: Cancellation);
                await lab.Client.CoreV1.DeleteNamespacedPodAsync("a", "default", cancellationToken: Cancellation);
            }
            if (seen.Count == 5)
                break;
        }
        // A deletion without grace is two writes in Kubernetes: the mark, and the end.
        Assert.Equal(["ADDED a", "ADDED b", "MODIFIED b", "MODIFIED a", "DELETED a"], seen);
    }

    [Fact]
    public async Task A_watch_resumes_after_the_revision_it_names()
    {
        await using var lab = await Running();
        var first = await lab.Create(Pod("a"));
        await lab.Create(Pod("b"));
        await lab.Create(Pod("c"));
        Assert.Equal(["ADDED b", "ADDED c"], await Types(lab, $"{Pods}?watch=true&timeoutSeconds=1&resourceVersion={first.ResourceVersion()}"));
    }

    [Fact]
    public async Task An_object_that_enters_the_selection_is_added_and_one_that_leaves_it_deleted()
    {
        await using var lab = await Running();
        var start = await lab.Create(Pod("p"));
        await lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding("p", "n1"), "p", "default", cancellationToken: Cancellation);
        await lab.Send("PATCH", $"{Pods}/p/status", """{"status":{"phase":"Running"}}""", "application/merge-patch+json");
        await lab.Send("PATCH", $"{Pods}/p/status", """{"status":{"phase":"Succeeded"}}""", "application/merge-patch+json");
        var from = $"watch=true&timeoutSeconds=1&resourceVersion={start.ResourceVersion()}";
        var seen = await Task.WhenAll(
            Types(lab, $"{Pods}?{from}&fieldSelector=spec.nodeName%3Dn1"),
            Types(lab, $"{Pods}?{from}&fieldSelector=spec.nodeName%3D"),
            Types(lab, $"{Pods}?{from}&fieldSelector=status.phase!%3DSucceeded"),
            Types(lab, $"/api/v1/namespaces/kube-system/pods?{from}"));
        Assert.Equal(["ADDED p", "MODIFIED p", "MODIFIED p"], seen[0]);
        Assert.Equal(["DELETED p"], seen[1]);
        Assert.Equal(["MODIFIED p", "MODIFIED p", "DELETED p"], seen[2]);
        Assert.Empty(seen[3]);
    }

    [Fact]
    public async Task A_watch_from_before_the_history_ends_with_an_ERROR_event_of_410()
    {
        await using var lab = await Running();
        var old = await lab.Create(Pod("a"));
        var last = await lab.Create(Pod("b"));
        lab.Server.Compact();
        var seen = new List<(string Type, JsonNode Object)>();
        await foreach (var change in lab.Watch($"{Pods}?watch=true&resourceVersion={old.ResourceVersion()}", Cancellation))
            seen.Add(change);
        var (type, status) = Assert.Single(seen);
        Assert.Equal(("ERROR", 410, "Expired"), (type, status["code"]!.GetValue<int>(), status["reason"]!.GetValue<string>()));
        Assert.Equal($"too old resource version: {old.ResourceVersion()} ({last.ResourceVersion()})", status["message"]!.GetValue<string>());
        Assert.Equal(["ADDED c"], await TypesAfter(lab, last.ResourceVersion(), "c"));
    }

    [Fact]
    public async Task An_older_server_answers_410_before_the_watch_begins()
    {
        await using var lab = await Running(new() { RefuseOldWatches = true });
        var old = await lab.Create(Pod("a"));
        await lab.Create(Pod("b"));
        lab.Server.Compact();
        var gone = await Assert.ThrowsAsync<HttpRequestException>(() => Types(lab, $"{Pods}?watch=true&resourceVersion={old.ResourceVersion()}"));
        Assert.Equal(HttpStatusCode.Gone, gone.StatusCode);
        Assert.Equal("Expired", JsonNode.Parse(gone.Message)!["reason"]!.GetValue<string>());
    }

    private static async Task<List<string>> TypesAfter(ApiServerGiven lab, string revision, string create)
    {
        await lab.Create(Pod(create));
        return await Types(lab, $"{Pods}?watch=true&timeoutSeconds=1&resourceVersion={revision}");
    }

    [Fact]
    public async Task A_revision_from_the_future_is_refused()
    {
        await using var lab = await Running();
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => Types(lab, $"{Pods}?watch=true&resourceVersion=1000000"));
        Assert.Equal(HttpStatusCode.GatewayTimeout, refused.StatusCode);
    }

    [Fact]
    public async Task A_list_by_watching_says_when_the_first_state_is_complete()
    {
        await using var lab = await Running();
        await lab.Create(Pod("a"));
        var seen = new List<string>();
        await foreach (var (type, pod) in lab.Watch($"{Pods}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1", Cancellation))
            seen.Add($"{type} {pod["metadata"]!["name"]}{pod["metadata"]!["annotations"]?["k8s.io/initial-events-end"]}");
        Assert.Equal(["ADDED a", "BOOKMARK true", "BOOKMARK "], seen);
    }

    [Fact]
    public async Task A_watch_ends_when_its_time_is_over_and_leaves_a_bookmark()
    {
        await using var lab = await Running();
        var pod = await lab.Create(Pod("a"));
        await lab.Client.CoreV1.CreateNamespacedConfigMapAsync(new() { Metadata = new() { Name = "m" } }, "default", cancellationToken: Cancellation);
        var seen = new List<string>();
        await foreach (var (type, last) in lab.Watch($"{Pods}?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion={pod.ResourceVersion()}", Cancellation))
            seen.Add($"{type} {last["metadata"]!["resourceVersion"]}");
        Assert.Equal([$"BOOKMARK {long.Parse(pod.ResourceVersion()) + 1}"], seen);
    }

    [Fact]
    public async Task A_watcher_whom_none_of_many_changes_concerns_is_told_where_it_stands()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        await using var lab = await Running(new() { Time = clock });
        var last = await lab.Create(Pod("first"));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        await using var events = lab.Watch($"{Pods}?watch=true&allowWatchBookmarks=true&resourceVersion={last.ResourceVersion()}&fieldSelector=spec.nodeName%3Dn", patience.Token)
            .GetAsyncEnumerator(patience.Token);
        var next = events.MoveNextAsync().AsTask();
        for (var i = 0; !next.IsCompleted; i++)
        {
            last = await lab.Create(Pod($"p{i}"));
            clock.Advance(TimeSpan.FromSeconds(15));
            await Task.WhenAny(next, Task.Delay(20, Cancellation));
        }
        Assert.True(await next);
        Assert.Equal("BOOKMARK", events.Current.Type);
        Assert.True(long.Parse(events.Current.Object["metadata"]!["resourceVersion"]!.GetValue<string>()) <= long.Parse(last.ResourceVersion()));
    }

    [Theory]
    [InlineData("", "MODIFIED")]
    [InlineData("&fieldSelector=metadata.name%3Dp", "MODIFIED")]
    [InlineData("&fieldSelector=spec.nodeName%3Dn1", "ADDED")]
    [InlineData("&fieldSelector=spec.nodeName%3D", "DELETED")]
    [InlineData("&fieldSelector=spec.nodeName%3Dn1,metadata.name%3Dp", "ADDED")]
    [InlineData("&fieldSelector=spec.nodeName!%3D", "ADDED")]
    public async Task Whom_a_change_concerns_hears_of_it_without_time_going_by(string selection, string expected)
    {
        // A clock that stands still: nobody is helped by a bookmark that falls due.
        await using var lab = await Running(new() { Time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56)) });
        var start = await lab.Create(Pod("p"));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        await using var events = lab.Watch($"{Pods}?watch=true&resourceVersion={start.ResourceVersion()}{selection}", patience.Token).GetAsyncEnumerator(patience.Token);
        var next = events.MoveNextAsync();
        await lab.Create(Pod("other"));
        await lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding("p", "n1"), "p", "default", cancellationToken: Cancellation);
        Assert.True(await next);
        while (events.Current.Object["metadata"]!["name"]!.GetValue<string>() is not "p")
            Assert.True(await events.MoveNextAsync());
        Assert.Equal(expected, events.Current.Type);
    }

    [Fact]
    public async Task KubernetesClient_lists_and_watches()
    {
        await using var lab = await Running();
        await lab.Create(Pod("a"));
        var list = await lab.Client.CoreV1.ListNamespacedPodAsync("default", cancellationToken: Cancellation);
        await lab.Create(Pod("b"));
        await foreach (var (type, pod) in lab.Client.CoreV1.WatchListNamespacedPodAsync("default", resourceVersion: list.ResourceVersion(), cancellationToken: Cancellation))
        {
            Assert.Equal((WatchEventType.Added, "b"), (type, pod.Name()));
            break;
        }
    }

    [Fact]
    public void No_watcher_loses_or_doubles_a_change_however_writers_race_and_however_often_it_resumes() =>
        Gen.Select(Gen.Int[1, 4], Gen.Int[5, 25], Gen.Int[1, 6]).Sample((writers, writes, reads) => Race(writers, writes, reads).GetAwaiter().GetResult(), iter: 6, threads: 1);

    /// <summary>Several clients write; one watcher hangs up after every few events and resumes from the last one it saw.</summary>
    private static async Task<bool> Race(int writers, int writes, int readsBeforeHangingUp)
    {
        await using var lab = await Running();
        var written = await Task.WhenAll(Enumerable.Range(0, writers).Select(w => Task.Run(async () =>
        {
            var revisions = new List<long>();
            for (var i = 0; i < writes; i++)
            {
                var (code, map) = i == 0
                    ? await lab.Send("POST", "/api/v1/namespaces/default/configmaps", "{\"metadata\":{\"name\":\"m" + w + "\"}}")
                    : await lab.Send("PATCH", $"/api/v1/namespaces/default/configmaps/m{w}", "{\"data\":{\"i\":\"" + i + "\"}}", "application/merge-patch+json");
                Assert.InRange(code, 200, 201);
                revisions.Add(Revision(map!));
            }
            return revisions;
        })));
        var all = written.SelectMany(r => r).Order().ToList();

        // From before their first write: every namespace has a map of its own by then.
        var (seen, cursor) = (new List<long>(), all[0] - 1);
        while (seen.Count < all.Count)
        {
            var reads = 0;
            await foreach (var (_, map) in lab.Watch($"/api/v1/configmaps?watch=true&timeoutSeconds=5&resourceVersion={cursor}", Cancellation))
            {
                seen.Add(cursor = Revision(map));
                if (++reads == readsBeforeHangingUp || seen.Count == all.Count)
                    break;
            }
        }
        return seen.SequenceEqual(all);
    }

    [Fact]
    public async Task A_watcher_that_listens_while_others_write_sees_each_revision_once()
    {
        await using var lab = await Running();
        const int total = 120;
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var watching = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var seen = new List<long>();
            await foreach (var (_, map) in lab.Watch("/api/v1/configmaps?watch=true&resourceVersion=1&fieldSelector=metadata.name!=kube-root-ca.crt", done.Token))
            {
                seen.Add(Revision(map));
                if (seen.Count == total)
                    break;
            }
            return seen;
        }, Cancellation)).ToArray();
        var writing = Enumerable.Range(0, 6).Select(w => Task.Run(async () =>
        {
            for (var i = 0; i < total / 6; i++)
                await lab.Send("POST", "/api/v1/namespaces/default/configmaps", "{\"metadata\":{\"name\":\"m" + w + "-" + i + "\"}}");
        }, Cancellation));
        await Task.WhenAll(writing);
        foreach (var seen in await Task.WhenAll(watching).WaitAsync(TimeSpan.FromSeconds(20), Cancellation))
            Assert.Equal(seen.Order().Distinct(), seen);
    }

    private static long Revision(JsonNode body) => long.Parse(body["metadata"]!["resourceVersion"]!.GetValue<string>());

    private static async Task<List<string>> Types(ApiServerGiven lab, string path)
    {
        var seen = new List<string>();
        await foreach (var (type, pod) in lab.Watch(path, Cancellation))
            seen.Add($"{type} {pod["metadata"]!["name"]}");
        return seen;
    }
}
