using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

/// <summary>Whatever comes in at /webhook, /filter and /bind, the answer is a sentence in the shape its caller reads, and the process lives on.</summary>
public sealed class WithstandingHostileBodies(WithstandingHostileBodies.OneScene given) : IClassFixture<WithstandingHostileBodies.OneScene>, IDisposable
{
    private const long MostMiB = 600;

    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(100) };

    private ControlPlaneScene Scene => given.Scene;

    [Theory]
    [InlineData("webhook", 7)]
    [InlineData("bind", 1)]
    [InlineData("filter", 64)]
    public async Task A_body_over_its_limit_is_refused_with_the_limit_in_the_sentence(string path, int limitMiB)
    {
        foreach (var chunked in new[] { false, true })
        {
            using var content = new Filler((limitMiB << 20) + 1, chunked);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var answer = await _http.PostAsync(Scene.At(path), content);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.Equal(200, (int)answer.StatusCode);
            Assert.Equal($"the request body is larger than the {limitMiB} MiB that are read here", Sentence(path, text));
            if (path is "webhook")
                Assert.Equal(413, JsonNode.Parse(text)!["response"]!["status"]!["code"]!.GetValue<int>());
        }
    }

    [Theory]
    [InlineData("webhook")]
    [InlineData("bind")]
    [InlineData("filter")]
    public async Task Many_bodies_of_a_hundred_megabytes_at_once_take_no_memory(string path)
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                using var content = new Filler(100_000_000, chunked: true);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                using var answer = await _http.PostAsync(Scene.At(path), content);
                Assert.Equal(200, (int)answer.StatusCode);
            }
            catch (HttpRequestException)
            {
                // The answer was there before the body's end, and the connection was closed on the rest.
            }
        }));

        Assert.InRange(await WorkingSetMiBAsync(), 1, MostMiB);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/yaml")]
    [InlineData("application/json-patch+json")]
    [InlineData(null)]
    public async Task The_webhook_reads_JSON_alone(string? type)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(Bodies.Review("admission.k8s.io/v1").ToJsonString()));
        if (type is not null)
            content.Headers.ContentType = new MediaTypeHeaderValue(type);
        using var answer = await _http.PostAsync(Scene.At("webhook"), content);
        var response = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["response"]!;

        Assert.False(response["allowed"]!.GetValue<bool>());
        Assert.Equal(400, response["status"]!["code"]!.GetValue<int>());
        Assert.Contains("application/json", response["status"]!["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("admission.k8s.io/v1", "admission.k8s.io/v1")]
    [InlineData("admission.k8s.io/v1beta1", "admission.k8s.io/v1beta1")]
    [InlineData(null, "admission.k8s.io/v1")]
    public async Task A_review_is_answered_in_its_own_version(string? asked, string answered)
    {
        var answer = await Scene.PostAsync("webhook", Bodies.Review(asked));

        Assert.Equal((answered, "AdmissionReview"), (answer["apiVersion"]!.GetValue<string>(), answer["kind"]!.GetValue<string>()));
        Assert.True(answer["response"]!["allowed"]!.GetValue<bool>(), answer.ToJsonString());
        Assert.Equal("r-1", answer["response"]!["uid"]!.GetValue<string>());
    }

    [Fact]
    [Trait("Hami", "drop-in 1")]
    public async Task Names_are_read_in_any_casing_and_unknown_ones_are_passed_over()
    {
        foreach (var cased in new Func<string, string>[] { n => n, n => char.ToLowerInvariant(n[0]) + n[1..], n => n.ToUpperInvariant() })
        {
            var filter = new JsonObject { [cased("Pod")] = Bodies.Pod(), [cased("NodeNames")] = new JsonArray("n1"), ["Newer"] = new JsonObject { ["a"] = 1 } };
            Assert.Equal("n1", (await Scene.PostAsync("filter", filter))["NodeNames"]?[0]?.GetValue<string>());
            var bind = new JsonObject { [cased("PodName")] = "gone", [cased("PodNamespace")] = "default", [cased("PodUID")] = "u", [cased("Node")] = "n1", ["newer"] = 1 };
            Assert.Contains("does not exist", (await Scene.PostAsync("bind", bind))["Error"]!.GetValue<string>(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Bodies_bent_at_random_are_answered_in_the_callers_shape(int seed)
    {
        var random = new Random(seed);
        var originals = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["webhook"] = Bodies.Review("admission.k8s.io/v1").ToJsonString(),
            ["filter"] = new JsonObject { ["Pod"] = Bodies.Pod(), ["NodeNames"] = new JsonArray("n1") }.ToJsonString(),
            ["bind"] = new JsonObject { ["PodName"] = "gone", ["PodNamespace"] = "default", ["PodUID"] = "u", ["Node"] = "n1" }.ToJsonString(),
        };
        for (var i = 0; i < 150; i++)
        {
            foreach (var (path, original) in originals)
            {
                var bent = Bodies.Bend(original, random);
                using var content = new ByteArrayContent(bent);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                using var answer = await _http.PostAsync(Scene.At(path), content);
                var text = await answer.Content.ReadAsStringAsync();
                Assert.True((int)answer.StatusCode == 200, $"{path} answered {(int)answer.StatusCode} to {Encoding.UTF8.GetString(bent)}: {text}");
                Assert.True(
                    JsonNode.Parse(text) is JsonObject read && (path is "webhook" ? read["response"]?["allowed"] is not null : read["Error"] is not null),
                    $"{path} answered {text} to {Encoding.UTF8.GetString(bent)}");
            }
        }
        Assert.DoesNotContain("fault of ours", Scene.Log, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("webhook")]
    [InlineData("filter")]
    [InlineData("bind")]
    public async Task What_is_not_UTF_8_is_said_to_be_none(string path)
    {
        using var content = new ByteArrayContent([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var answer = await _http.PostAsync(Scene.At(path), content);
        Assert.Equal("the request body is not UTF-8 text", Sentence(path, await answer.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task A_body_that_breaks_off_or_stops_leaves_the_others_alone()
    {
        foreach (var path in new[] { "webhook", "filter", "bind" })
        {
            using var breaks = await BeginAsync(path);
            breaks.Close();
        }
        using var stops = await BeginAsync("filter");

        // Kestrel gives up on whoever sends less than 240 bytes a second; that there is an end is what counts.
        var buffer = new byte[1024];
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var read = await stops.GetStream().ReadAsync(buffer, patience.Token);
        Assert.Matches("^(HTTP/1.1 (200|408)|$)", Encoding.ASCII.GetString(buffer, 0, read));
        Assert.Contains("does not exist", (await Scene.PostAsync("bind", JsonNode.Parse("""{"PodName":"gone","PodNamespace":"default","PodUID":"u","Node":"n1"}""")!))["Error"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.DoesNotContain("unhandled", Scene.Log, StringComparison.OrdinalIgnoreCase);
    }

    public void Dispose() => _http.Dispose();

    private static string Sentence(string path, string answer) => path is "webhook"
        ? JsonNode.Parse(answer)!["response"]!["status"]!["message"]!.GetValue<string>()
        : JsonNode.Parse(answer)!["Error"]!.GetValue<string>();

    private async Task<TcpClient> BeginAsync(string path)
    {
        var at = Scene.At(path);
        var client = new TcpClient();
        await client.ConnectAsync(at.Host, at.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {at.AbsolutePath} HTTP/1.1\r\nHost: {at.Authority}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{\"Pod\":"));
        return client;
    }

    private async Task<long> WorkingSetMiBAsync() =>
        JsonNode.Parse(await _http.GetStringAsync(new Uri(Scene.Extender, "debug/runtime")))!["workingSetBytes"]!.GetValue<long>() >> 20;

    /// <summary>A body of a size, made as it is sent.</summary>
    private sealed class Filler(long bytes, bool chunked) : HttpContent
    {
        private static readonly byte[] Spaces = Encoding.ASCII.GetBytes(new string(' ', 1 << 16));

        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            for (var left = bytes; left > 0; left -= Spaces.Length)
                await stream.WriteAsync(Spaces.AsMemory(0, (int)Math.Min(left, Spaces.Length)));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes;
            return !chunked;
        }
    }

    public sealed class OneScene : IAsyncLifetime
    {
        internal ControlPlaneScene Scene { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Scene = await ControlPlaneScene.StartAsync(nodes: 1, flags: ["--profiling"]);

        public ValueTask DisposeAsync() => Scene.DisposeAsync();
    }
}

/// <summary>Good bodies, and what can be made of them.</summary>
internal static class Bodies
{
    private static readonly string[] Values = ["null", "[]", "{}", "-1", "1e999", "\"\"", "true", "\"9223372036854775808\"", "[null]", "\"\\ud800\"", "{\"a\":{\"a\":{}}}"];

    public static JsonNode Pod() => JsonNode.Parse(
        """
        {"metadata":{"name":"p","namespace":"default","uid":"u-1","annotations":{"nvidia.com/use-gputype":"A100"}},
         "spec":{"containers":[{"name":"main","resources":{"limits":{"nvidia.com/gpu":"1","nvidia.com/gpumem":"1k"}}}]}}
        """)!;

    public static JsonObject Review(string? version)
    {
        var review = new JsonObject { ["kind"] = "AdmissionReview", ["request"] = new JsonObject { ["uid"] = "r-1", ["namespace"] = "default", ["object"] = Pod() } };
        if (version is not null)
            review["apiVersion"] = version;
        return review;
    }

    /// <summary>The body with some of its bytes or values changed.</summary>
    public static byte[] Bend(string body, Random random)
    {
        switch (random.Next(4))
        {
            case 0: // any byte for another
                var bytes = Encoding.UTF8.GetBytes(body);
                for (var n = random.Next(1, 4); n > 0; n--)
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                return bytes;
            case 1: // cut off
                return Encoding.UTF8.GetBytes(body[..random.Next(body.Length)]);
            case 2: // a value for one of another kind
                var starts = Enumerable.Range(0, body.Length - 1).Where(i => body[i] == ':').ToList();
                var at = starts[random.Next(starts.Count)] + 1;
                var end = body.IndexOfAny([',', '}', ']'], at);
                return Encoding.UTF8.GetBytes(body[..at] + Values[random.Next(Values.Length)] + body[end..]);
            default: // deep
                var depth = random.Next(1, 100_000);
                return Encoding.UTF8.GetBytes($"{body[..^1]},\"Pod\":{new string('[', depth)}");
        }
    }
}
