using System.Net;
using Hami.Api.Plumbing.Kubernetes;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Plumbing;

/// <summary><c>--kube-qps</c>, <c>--kube-burst</c> and <c>--kube-timeout</c>.</summary>
public sealed class LimitingTheClient
{
    [Fact]
    [Trait("Scoreboard", "H10")]
    public async Task No_more_requests_go_out_than_the_burst_and_what_the_rate_adds()
    {
        var server = new CountingServer();
        using var http = Client(server, new(PerSecond: 20, Burst: 5, TimeSpan.Zero));

        var start = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, 15).Select(_ => http.GetAsync(new Uri("http://api/"))));
        var took = TimeProvider.System.GetElapsedTime(start);

        Assert.Equal(15, server.Requests);
        // Five at once, ten more at 20 a second; a loaded machine may take longer, never less.
        Assert.True(took >= TimeSpan.FromSeconds(0.45), $"15 requests took {took}.");
    }

    [Fact]
    [Trait("Scoreboard", "H10")]
    public async Task Without_a_rate_nothing_is_held_back()
    {
        var server = new CountingServer { Hangs = true };
        using var http = Client(server, new(PerSecond: 0, Burst: 1, TimeSpan.Zero));

        var all = Enumerable.Range(0, 100).Select(_ => http.GetAsync(new Uri("http://api/"))).ToList();
        Assert.Equal(100, server.Requests);

        server.Answer.SetResult();
        await Task.WhenAll(all);
    }

    [Fact]
    [Trait("Scoreboard", "H10")]
    public async Task An_answer_that_does_not_begin_in_time_is_given_up_in_a_sentence()
    {
        var time = new FakeTimeProvider();
        using var http = Client(new CountingServer { Hangs = true }, new(0, 1, TimeSpan.FromSeconds(5)), time);

        var asked = http.GetAsync(new Uri("http://api/api/v1/pods"));
        time.Advance(TimeSpan.FromSeconds(6));

        Assert.Equal("the API server did not answer GET /api/v1/pods within 5 s", (await Assert.ThrowsAsync<HttpRequestException>(() => asked)).Message);
    }

    [Fact]
    public async Task Who_gives_up_by_himself_is_told_so()
    {
        using var http = Client(new CountingServer { Hangs = true }, ClientLimits.Default);
        using var patience = new CancellationTokenSource();

        var asked = http.GetAsync(new Uri("http://api/"), patience.Token);
        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    private static HttpClient Client(CountingServer server, ClientLimits limits, TimeProvider? time = null) =>
        new(new LimitedClient(limits, time ?? TimeProvider.System) { InnerHandler = server });

    private sealed class CountingServer : HttpMessageHandler
    {
        private int _requests;

        public int Requests => _requests;

        public bool Hangs { get; init; }

        public TaskCompletionSource Answer { get; } = new();

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _requests);
            if (Hangs)
                await Answer.Task.WaitAsync(cancellationToken);
            return new(HttpStatusCode.OK);
        }
    }
}
