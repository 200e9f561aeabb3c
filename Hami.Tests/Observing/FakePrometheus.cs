using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Hami.Tests.Observing;

/// <summary>One question as Prometheus gets it.</summary>
internal sealed record Queried(string Query, DateTimeOffset Start, DateTimeOffset End, TimeSpan Step, string? Authorization)
{
    /// <summary>The moments that it is about.</summary>
    public IEnumerable<DateTimeOffset> Moments => Enumerable.Range(0, (int)((End - Start) / Step) + 1).Select(i => Start + i * Step);
}

/// <summary>Answers <c>/api/v1/query_range</c> as Prometheus' documentation has it; what, says the test.</summary>
internal sealed class FakePrometheus : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FakePrometheus(WebApplication app) => _app = app;

    public ConcurrentQueue<Queried> Asked { get; } = new();

    /// <summary>The value of a query at a moment; null for none.</summary>
    public Func<string, DateTimeOffset, double?> Value { get; set; } = (_, _) => null;

    /// <summary>What is answered instead.</summary>
    public Func<HttpContext, Task>? Otherwise { get; set; }

    public Uri Address => new(_app.Urls.Single());

    public static async Task<FakePrometheus> StartAsync(X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen =>
        {
            if (certificate is not null)
                listen.UseHttps(certificate);
        }));
        var fake = new FakePrometheus(builder.Build());
        fake._app.MapPost("/api/v1/query_range", fake.AnswerAsync);
        await fake._app.StartAsync();
        return fake;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>A matrix: nothing, or one series without labels.</summary>
    public static JsonObject Matrix(IEnumerable<(DateTimeOffset At, string Value)> values)
    {
        var points = values.Select(v => (JsonNode)new JsonArray(v.At.ToUnixTimeSeconds(), v.Value)).ToArray();
        var result = points.Length == 0 ? new JsonArray() : new JsonArray(new JsonObject { ["metric"] = new JsonObject(), ["values"] = new JsonArray(points) });
        return new() { ["status"] = "success", ["data"] = new JsonObject { ["resultType"] = "matrix", ["result"] = result } };
    }

    private async Task AnswerAsync(HttpContext http)
    {
        var form = await http.Request.ReadFormAsync();
        var asked = new Queried(form["query"]!, Time(form["start"]!), Time(form["end"]!), TimeSpan.FromSeconds(double.Parse(form["step"]!, CultureInfo.InvariantCulture)), http.Request.Headers.Authorization);
        Asked.Enqueue(asked);
        if (Otherwise is { } otherwise)
        {
            await otherwise(http);
            return;
        }
        await Results.Text(
            Matrix(asked.Moments.Select(at => (at, Value(asked.Query, at))).Where(v => v.Item2 is not null).Select(v => (v.at, v.Item2!.Value.ToString(CultureInfo.InvariantCulture)))).ToJsonString(),
            "application/json").ExecuteAsync(http);

        static DateTimeOffset Time(string seconds) => DateTimeOffset.FromUnixTimeSeconds(long.Parse(seconds, CultureInfo.InvariantCulture));
    }
}
