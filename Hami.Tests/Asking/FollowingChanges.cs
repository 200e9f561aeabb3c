using System.Net.Http.Json;
using System.Text.Json.Nodes;
using GraphQL;
using Hami.Api.Asking;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Tests.Given;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Asking;

/// <summary>Subscriptions over server-sent events: what happens is told in order, and one that broke off goes on where it was.</summary>
public sealed class FollowingChanges(RunningScene running) : IClassFixture<RunningScene>, IDisposable
{
    private const string Allocations = "subscription { allocationChanged { position step pod namespace node shares { memoryMiB } } }";
    private const string Pending = "subscription { pendingChanged { pod waits { message } } }";
    private const string Devices = "subscription { deviceChanged { uuid device { usedMemoryMiB } } }";

    private const string Anything = "subscription { clusterChanged { position at isListed } }";

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60), DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } };

    private ControlPlaneScene Scene => running.Scene;

    [Fact]
    public async Task The_steps_of_an_allocation_are_told_in_order_with_the_position_as_id()
    {
        await using var stream = await OpenAsync(Allocations);
        var pod = await PlaceAsync();
        await Scene.DeletePodAsync(pod);

        var told = await stream.TakeAsync(3, e => e["allocationChanged"]!["pod"]!.ToString() == pod);

        Assert.Equal(["PLACED", "BOUND", "RELEASED"], told.Select(t => t.Data["allocationChanged"]!["step"]!.ToString()));
        Assert.All(told, t => Assert.Equal(t.Data["allocationChanged"]!["position"]!.ToString(), t.Id));
        Assert.All(told, t => Assert.Equal("100", t.Data["allocationChanged"]!["shares"]![0]!["memoryMiB"]!.ToString()));
    }

    [Fact]
    public async Task One_that_broke_off_is_told_what_it_missed_once_and_then_what_comes()
    {
        string last;
        string first, missed, later;
        await using (var before = await OpenAsync(Allocations))
        {
            first = await PlaceAsync();
            last = (await before.TakeAsync(2, e => e["allocationChanged"]!["pod"]!.ToString() == first))[1].Id!;
        }
        missed = await PlaceAsync();
        await Scene.DeletePodAsync(missed);
        await Scene.DeletePodAsync(first);
        await ControlPlaneScene.UntilAsync(async () => (await Scene.QueryAsync($"{{ allocations(filter: {{ pod: \"{first}\", live: false }}) {{ totalCount }} }}"))["allocations"]!["totalCount"]!.GetValue<int>() == 1, () => Scene.Log);

        await using var after = await OpenAsync(Allocations, last);
        var told = await after.TakeAsync(4, e => e["allocationChanged"]!["pod"]!.ToString() is var pod && (pod == first || pod == missed));
        later = await PlaceAsync();
        var next = await after.TakeAsync(2, e => e["allocationChanged"]!["pod"]!.ToString() is var pod && (pod == first || pod == missed || pod == later));

        string[] steps = [$"{first} RELEASED", $"{missed} BOUND", $"{missed} PLACED", $"{missed} RELEASED"];
        Assert.Equal(
            steps.Order(StringComparer.Ordinal),
            told.Select(t => $"{t.Data["allocationChanged"]!["pod"]} {t.Data["allocationChanged"]!["step"]}").Order(StringComparer.Ordinal));
        Assert.Equal(told.Select(t => long.Parse(t.Id!, System.Globalization.CultureInfo.InvariantCulture)).Order(), told.Select(t => long.Parse(t.Id!, System.Globalization.CultureInfo.InvariantCulture)));
        Assert.Equal([$"{later} PLACED", $"{later} BOUND"], next.Select(t => $"{t.Data["allocationChanged"]!["pod"]} {t.Data["allocationChanged"]!["step"]}"));
    }

    [Fact]
    public async Task Waiting_is_told_when_it_begins_and_when_it_ends_also_to_one_that_missed_it()
    {
        var name = $"p-{Guid.NewGuid():N}";
        await using var stream = await OpenAsync(Pending);
        await Scene.CreatePodAsync(name, memoryMiB: 1_000_000);
        await Scene.FilterAsync(name, "n1");
        var begins = (await stream.TakeAsync(1, e => e["pendingChanged"]!["pod"]!.ToString() == name))[0];
        await Scene.DeletePodAsync(name);
        var ends = (await stream.TakeAsync(1, e => e["pendingChanged"]!["pod"]!.ToString() == name))[0];
        await using var resumed = await OpenAsync(Pending, begins.Id);
        var missed = (await resumed.TakeAsync(1, e => e["pendingChanged"]!["pod"]!.ToString() == name))[0];

        Assert.NotNull(begins.Data["pendingChanged"]!["waits"]);
        Assert.Null(ends.Data["pendingChanged"]!["waits"]);
        Assert.Null(missed.Data["pendingChanged"]!["waits"]);
    }

    [Fact]
    public async Task A_card_is_told_as_it_is_after_each_change_of_its_use()
    {
        await using var stream = await OpenAsync(Devices);
        var pod = await PlaceAsync();
        var used = (await stream.TakeAsync(1, e => e["deviceChanged"]!["device"]!["usedMemoryMiB"]!.GetValue<long>() >= 100))[0];

        Assert.NotNull(used.Id);
        Assert.StartsWith("GPU-n1-", used.Data["deviceChanged"]!["uuid"]!.ToString(), StringComparison.Ordinal);
        await Scene.DeletePodAsync(pod);
    }

    [Fact]
    [Trait("Scoreboard", "M31")]
    public async Task That_something_happened_is_told_with_its_position_and_time_and_once_to_one_that_missed_it()
    {
        var before = await PositionAsync();
        await using var stream = await OpenAsync(Anything);
        var pod = await PlaceAsync();
        await Scene.DeletePodAsync(pod);
        await ControlPlaneScene.UntilAsync(
            async () => (await Scene.QueryAsync($"{{ allocations(filter: {{ pod: \"{pod}\", live: false }}) {{ totalCount }} }}"))["allocations"]!["totalCount"]!.GetValue<int>() == 1, () => Scene.Log);
        var now = await PositionAsync();
        var last = (await stream.TakeAsync(1, e => e["clusterChanged"]!["position"]!.GetValue<long>() >= now))[0];
        await using var resumed = await OpenAsync(Anything, $"{before}");
        var missed = (await resumed.TakeAsync(1, _ => true))[0];
        await using var anew = await OpenAsync(Anything);
        var first = (await anew.TakeAsync(1, _ => true))[0];

        Assert.Equal(last.Data["clusterChanged"]!["position"]!.ToString(), last.Id);
        Assert.True(missed.Data["clusterChanged"]!["position"]!.GetValue<long>() >= now, "one word for all that was missed");
        var at = (await Scene.QueryAsync("{ events(first: 500) { items { position at } } }"))["events"]!["items"]!.AsArray().ToDictionary(e => e!["position"]!.GetValue<long>(), e => e!["at"]!.GetValue<DateTimeOffset>());
        Assert.True(first.Data["clusterChanged"]!["position"]!.GetValue<long>() >= now, "where the log is, at once");
        Assert.All([last, missed, first], t => Assert.Equal(at[t.Data["clusterChanged"]!["position"]!.GetValue<long>()], t.Data["clusterChanged"]!["at"]!.GetValue<DateTimeOffset>()));
    }

    [Fact]
    public async Task A_burst_is_told_four_times_a_second_at_most_and_its_end_always()
    {
        var (news, time) = (new ClusterNews(), new FakeTimeProvider());
        Commit(news, 1);
        await using var reader = new ClusterChanges(news, null!, time).FollowAsync(null, CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await reader.MoveNextAsync());
        Assert.Equal(1, reader.Current.Position);
        for (var i = 2; i <= 1000; i++)
            Commit(news, i);

        var next = reader.MoveNextAsync().AsTask();
        time.Advance(TimeSpan.FromMilliseconds(249));
        Assert.False(next.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(await next);
        Assert.Equal(1000, reader.Current.Position);

        // Nothing is told twice, and what comes after a pause at once.
        next = reader.MoveNextAsync().AsTask();
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.False(next.IsCompleted);
        Commit(news, 1001);
        Assert.True(await next);
        Assert.Equal((1001, At(1001)), (reader.Current.Position, reader.Current.At));
    }

    [Fact]
    public async Task What_lists_did_not_show_yet_is_told_once_more_when_they_do()
    {
        var (news, time) = (new ClusterNews(), new FakeTimeProvider());
        Commit(news, 1);
        news.Followed(1);
        Assert.False(news.IsListAwaited);
        await using var reader = new ClusterChanges(news, null!, time).FollowAsync(null, CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await reader.MoveNextAsync());
        Assert.Equal(new(1, At(1), IsListed: true), reader.Current);
        Commit(news, 5);
        Assert.True(news.IsListAwaited);

        Assert.Equal(new(5, At(5), IsListed: false), await NextAsync());
        var listed = NextAsync();
        news.Followed(3);
        Assert.False(listed.IsCompleted);
        news.Followed(5);
        Assert.Equal(new(5, At(5), IsListed: true), await listed);
        Assert.False(news.IsListAwaited);
        // A change that is in the lists before it is told is told once.
        var next = NextAsync();
        news.Followed(6);
        Commit(news, 6);
        Assert.Equal(new(6, At(6), IsListed: true), await next);

        async Task<ClusterChange> NextAsync()
        {
            var change = reader.MoveNextAsync().AsTask();
            time.Advance(Limits.Pace);
            Assert.True(await change);
            return reader.Current;
        }
    }

    [Fact]
    public async Task Who_follows_a_log_that_another_takes_the_place_of_is_told_to_resume()
    {
        var news = new ClusterNews();
        news.Began(ClusterLedger.Empty);
        Commit(news, 1);
        var time = new FakeTimeProvider();
        await using var reader = new ClusterChanges(news, null!, time).FollowAsync(null, CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await reader.MoveNextAsync());
        var next = reader.MoveNextAsync().AsTask();
        time.Advance(Limits.Pace);

        news.Began(ClusterLedger.Empty);

        Assert.Equal("READ_ANEW", (await Assert.ThrowsAsync<ExecutionError>(() => next)).Code);
    }

    [Theory]
    [InlineData("nonsense", 400, "position in the log")]
    [InlineData("-1", 400, "position in the log")]
    [InlineData("99999999999999999999", 400, "position in the log")]
    public async Task An_id_that_no_log_gives_is_refused_at_once(string id, int status, string sentence)
    {
        using var answer = await SendAsync(Allocations, id);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Contains(sentence, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_id_beyond_the_end_of_the_log_ends_the_subscription_with_a_sentence()
    {
        await using var stream = await OpenAsync(Allocations, "999999999");

        Assert.Contains("beyond the end of the log", await stream.RestAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ eventCount }", "event: next\ndata: {\"data\":{\"eventCount\":", "event: complete\n")]
    public async Task A_query_is_answered_as_events_too(string query, string begins, string ends)
    {
        using var answer = await SendAsync(query, null);
        var text = await answer.Content.ReadAsStringAsync();

        Assert.Contains(begins, text, StringComparison.Ordinal);
        Assert.Contains(ends, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_subscription_needs_a_client_that_takes_events()
    {
        var (status, body) = await Scene.PostRawAsync("graphql", new JsonObject { ["query"] = Allocations }.ToJsonString());

        Assert.Equal(406, status);
        Assert.Contains("text/event-stream", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_reads_too_slowly_is_cut_off_and_holds_up_nobody()
    {
        var feed = new ChangeFeed();
        var (_, slow) = feed.Subscribe(CancellationToken.None);
        var (_, quick) = feed.Subscribe(CancellationToken.None);
        await using var reader = quick.GetAsyncEnumerator();
        for (var i = 1; i <= 2 * Limits.Waiting; i++)
        {
            Commit(feed, i);
            Assert.True(await reader.MoveNextAsync());
            Assert.Equal(i, reader.Current.After.Position);
        }

        var seen = 0;
        var cut = await Assert.ThrowsAsync<ExecutionError>(async () =>
        {
            await foreach (var _ in slow)
                seen++;
        });
        Assert.Equal(("TOO_SLOW", Limits.Waiting), (cut.Code, seen));
        Assert.Contains("Last-Event-ID", cut.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _http.Dispose();

    private static void Commit(ILogFollower feed, long position) => feed.Committed(
        ClusterLedger.Empty with { Position = position }, [new Recorded(position, At(position), "policy/cluster", new PolicyEvent.PolicyChanged("a", "b", null, null, "test"))]);

    private static DateTimeOffset At(long position) => DateTimeOffset.UnixEpoch.AddSeconds(position);

    private async Task<long> PositionAsync() => (await Scene.QueryAsync("{ logPosition }"))["logPosition"]!.GetValue<long>();

    private async Task<string> PlaceAsync()
    {
        var pod = await Scene.CreatePodAsync($"p-{Guid.NewGuid():N}", memoryMiB: 100);
        Assert.NotNull((await Scene.FilterAsync(pod.Metadata.Name, "n1"))["NodeNames"]);
        Assert.Equal("", (await Scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
        return pod.Metadata.Name;
    }

    private async Task<HttpResponseMessage> SendAsync(string query, string? lastId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Scene.Address, "graphql/stream")) { Content = JsonContent.Create(new { query }), Headers = { Accept = { new("text/event-stream") } } };
        if (lastId is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastId);
        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private async Task<EventStream> OpenAsync(string query, string? lastId = null)
    {
        var answer = await SendAsync(query, lastId);
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode}");
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        return new(answer, await answer.Content.ReadAsStreamAsync());
    }

    /// <summary>Server-sent events as they come in.</summary>
    private sealed class EventStream(HttpResponseMessage answer, Stream body) : IAsyncDisposable
    {
        private readonly StreamReader _lines = new(body);

        public async Task<List<(string? Id, JsonNode Data)>> TakeAsync(int count, Func<JsonNode, bool> which)
        {
            var taken = new List<(string?, JsonNode)>();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            string? id = null;
            while (taken.Count < count)
            {
                var line = await _lines.ReadLineAsync(patience.Token) ?? throw new InvalidOperationException("The stream ended.");
                if (line.StartsWith("id: ", StringComparison.Ordinal))
                    id = line[4..];
                else if (line.Length == 0)
                    id = null;
                else if (line.StartsWith("data: {", StringComparison.Ordinal) && JsonNode.Parse(line[6..])!["data"] is { } data && which(data))
                    taken.Add((id, data));
            }
            return taken;
        }

        public async Task<string> RestAsync()
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            return await _lines.ReadToEndAsync(patience.Token);
        }

        public ValueTask DisposeAsync()
        {
            _lines.Dispose();
            answer.Dispose();
            return default;
        }
    }
}
