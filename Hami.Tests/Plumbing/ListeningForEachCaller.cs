using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

/// <summary>Whoever can call /bind can bind any pod, so kube-scheduler has a listener of its own.</summary>
public sealed class ListeningForEachCaller(RunningScene running) : IClassFixture<RunningScene>, IDisposable
{
    private readonly HttpClient _http = new();

    [Theory]
    [InlineData("filter")]
    [InlineData("bind")]
    [InlineData("BIND/")]
    [InlineData("prioritize")]
    [InlineData("preempt")]
    public async Task Through_the_public_listener_nobody_reaches_the_extender(string path)
    {
        foreach (var host in new[] { null, running.Scene.Extender.Authority, "localhost" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(running.Scene.Address, path)) { Content = JsonContent.Create(new JsonObject()), Headers = { Host = host } };
            using var answer = await _http.SendAsync(request);
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }
    }

    [Theory]
    [InlineData("webhook")]
    [InlineData("graphql")]
    public async Task The_extenders_listener_answers_nothing_else(string path)
    {
        using var answer = await _http.PostAsJsonAsync(new Uri(running.Scene.Extender, path), new JsonObject());
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Theory]
    [InlineData("filter")]
    [InlineData("bind")]
    [InlineData("webhook")]
    [InlineData("graphql")]
    public async Task The_metrics_listener_answers_nothing_else(string path)
    {
        using var answer = await _http.PostAsJsonAsync(new Uri(running.Scene.Metrics, path), new JsonObject());
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Theory]
    [Trait("Scoreboard", "H08")]
    [InlineData("healthz")]
    [InlineData("readyz")]
    [Trait("Scoreboard", "N09")]
    public async Task Probes_are_answered_at_every_listener(string path)
    {
        foreach (var listener in new[] { running.Scene.Address, running.Scene.Extender, running.Scene.Metrics })
            Assert.Equal("ok", await _http.GetStringAsync(new Uri(listener, path)));
    }

    [Fact]
    [Trait("Scoreboard", "H13")]
    public async Task At_the_extenders_listener_a_scheduler_places_and_binds()
    {
        var pod = await running.Scene.CreatePodAsync($"p-{Guid.NewGuid():N}");

        Assert.Equal("n1", (await running.Scene.FilterAsync(pod.Metadata.Name, "n1"))["NodeNames"]![0]!.GetValue<string>());
        Assert.Equal("", (await running.Scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
    }

    public void Dispose() => _http.Dispose();
}
