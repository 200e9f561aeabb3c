extern alias api;

using System.IO.Pipelines;
using System.Net;
using System.Text;
using k8s;
using k8s.Autorest;
using k8s.Models;
using WatchStream = api::Hami.Api.Plumbing.Kubernetes.WatchStream;

namespace Hami.Tests.Plumbing;

/// <summary>A watch, line by line, however the network cuts it.</summary>
public sealed class FollowingAWatch
{
    private const string Added = """{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","uid":"u","resourceVersion":"7","creationTimestamp":"2026-03-01T00:00:00Z"},"spec":{"containers":[{"name":"c","resources":{"limits":{"nvidia.com/gpu":"1"}}}]},"status":{"phase":"Pending"}}}""";
    private const string Bookmark = """{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"9"},"spec":{"containers":null}}}""";
    private const string Gone = """{"object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: 1 (5)","reason":"Expired","code":410},"type":"ERROR"}""";

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task Every_line_is_one_change_as_the_client_reads_objects(int bytesAtOnce)
    {
        var server = new Server($"{Added}\n\n{Bookmark}\n{Added.Replace("ADDED", "DELETED", StringComparison.Ordinal)}", bytesAtOnce);

        var seen = await WatchStream.Of<V1Pod>(server.Client, "api/v1/pods", "5", CancellationToken.None, fieldSelector: "spec.nodeName=n 1").ToListAsync();

        Assert.Equal([WatchEventType.Added, WatchEventType.Bookmark, WatchEventType.Deleted], seen.Select(s => s.Type));
        var pod = seen[0].Object;
        Assert.Equal(("p", "u", "7", "Pending"), (pod.Name(), pod.Uid(), pod.ResourceVersion(), pod.Status.Phase));
        Assert.Equal(new DateTime(2026, 3, 1, 0, 0, 0, DateTimeKind.Utc), pod.CreationTimestamp());
        Assert.Equal(1, pod.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"].ToInt32());
        Assert.Equal("9", seen[1].Object.ResourceVersion());
        Assert.Equal("/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=5&fieldSelector=spec.nodeName%3Dn%201", server.Asked!.PathAndQuery);
    }

    [Fact]
    public async Task An_error_ends_it_with_what_the_server_said()
    {
        var server = new Server($"{Added}\n{Gone}\n{Added}\n", bytesAtOnce: 50);
        await using var changes = WatchStream.Of<V1Pod>(server.Client, "api/v1/pods", "1", CancellationToken.None).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await changes.MoveNextAsync());

        var error = await Assert.ThrowsAsync<KubernetesException>(async () => await changes.MoveNextAsync());

        Assert.Equal((410, "too old resource version: 1 (5)"), (error.Status.Code, error.Status.Message));
    }

    [Fact]
    public async Task Who_is_refused_hears_the_servers_words()
    {
        var server = new Server("""{"kind":"Status","status":"Failure","message":"pods is forbidden","code":403}""", bytesAtOnce: 50) { Code = HttpStatusCode.Forbidden };

        var error = await Assert.ThrowsAsync<HttpOperationException>(async () => await WatchStream.Of<V1Pod>(server.Client, "api/v1/pods", null, CancellationToken.None).ToListAsync());

        Assert.Equal(HttpStatusCode.Forbidden, error.Response.StatusCode);
        Assert.Contains("pods is forbidden", error.Message, StringComparison.Ordinal);
    }

    private sealed class Server : DelegatingHandler
    {
        private readonly byte[] _body;
        private readonly int _bytesAtOnce;

        public Server(string body, int bytesAtOnce)
        {
            (_body, _bytesAtOnce) = (Encoding.UTF8.GetBytes(body), bytesAtOnce);
            Client = new k8s.Kubernetes(new KubernetesClientConfiguration { Host = "http://model" }, this);
        }

        public k8s.Kubernetes Client { get; }

        public HttpStatusCode Code { get; init; } = HttpStatusCode.OK;

        public Uri? Asked { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked = request.RequestUri;
            var pipe = new Pipe();
            _ = WriteAsync(pipe.Writer);
            return Task.FromResult(new HttpResponseMessage(Code) { Content = new StreamContent(pipe.Reader.AsStream()), RequestMessage = request });
        }

        private async Task WriteAsync(PipeWriter to)
        {
            foreach (var piece in _body.Chunk(_bytesAtOnce))
                await to.WriteAsync(piece);
            await to.CompleteAsync();
        }
    }
}
