using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Hami.Domain.Protocol;
using k8s;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Hami.Tests.Allocating;

/// <summary>Pods and one node, as far as the node agent asks an API server for them; it can be away, and its watch can be late.</summary>
internal sealed class TinyApiServer : IAsyncDisposable
{
    private readonly Lock gate = new();
    private readonly WebApplication app;
    private readonly List<(long Version, string Type, V1Pod Pod)> history = [];
    private readonly ConcurrentDictionary<string, string> events = new(StringComparer.Ordinal);
    private readonly List<ChannelWriter<int>> watchers = [];
    private readonly CancellationTokenSource ending = new();
    private ImmutableDictionary<string, V1Pod> pods = ImmutableDictionary<string, V1Pod>.Empty;
    private long version = 1;

    private TinyApiServer(WebApplication app) => this.app = app;

    public V1Node Node { get; } = new() { ApiVersion = "v1", Kind = "Node", Metadata = new() { Name = "node-1" } };

    /// <summary>Every request is answered 503.</summary>
    public bool Away { get; set; }

    /// <summary>New events do not reach the watch; a list has them.</summary>
    public bool WatchIsLate { get; set; }

    public int NodePatches { get; private set; }

    /// <summary>Events as they were posted, and as they were put later.</summary>
    public ConcurrentQueue<string> Events { get; } = [];

    public IKubernetes Client { get; private set; } = null!;

    public static async Task<TinyApiServer> Start()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddRoutingCore();
        var web = builder.Build();
        web.Urls.Add("http://127.0.0.1:0");
        var server = new TinyApiServer(web);
        web.Use(async (http, next) =>
        {
            if (server.Away)
                http.Response.StatusCode = 503;
            else
                await next(http);
        });
        web.UseRouting();
        web.MapGet("/api/v1/pods", server.ListOrWatch);
        web.MapGet("/api/v1/namespaces/default/pods/{name}", (HttpContext http, string name) =>
            server.pods.TryGetValue(name, out var pod) ? Write(http, KubernetesJson.Serialize(pod)) : Status(http, 404));
        web.MapPatch("/api/v1/namespaces/default/pods/{name}", server.PatchPod);
        web.MapPost("/api/v1/namespaces/default/events", async (HttpContext http) =>
        {
            using var reader = new StreamReader(http.Request.Body);
            var said = await reader.ReadToEndAsync();
            if (!server.events.TryAdd(KubernetesJson.Deserialize<Corev1Event>(said).Name(), said))
            {
                await Status(http, 409);
                return;
            }
            server.Events.Enqueue(said);
            await Write(http, said);
        });
        web.MapGet("/api/v1/namespaces/default/events/{name}", (HttpContext http, string name) => Write(http, server.events[name]));
        web.MapPut("/api/v1/namespaces/default/events/{name}", async (HttpContext http, string name) =>
        {
            using var reader = new StreamReader(http.Request.Body);
            server.events[name] = await reader.ReadToEndAsync();
            server.Events.Enqueue(server.events[name]);
            await Write(http, server.events[name]);
        });
        web.MapGet("/api/v1/nodes/node-1", (HttpContext http) => Write(http, KubernetesJson.Serialize(server.Node)));
        web.MapPatch("/api/v1/nodes/node-1", server.PatchNode);
        await web.StartAsync();
        server.Client = new Kubernetes(new KubernetesClientConfiguration { Host = web.Urls.First() });
        return server;
    }

    public void Put(V1Pod pod) => Change(pods.ContainsKey(pod.Name()) ? "MODIFIED" : "ADDED", pod);

    public void Delete(string name) => Change("DELETED", pods[name]);

    public V1Pod Pod(string name) => pods[name];

    public string? Phase(string name) => Pod(name).GetAnnotation(HamiKeys.BindPhase);

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        Client.Dispose();
        await app.DisposeAsync();
        ending.Dispose();
    }

    private void Change(string type, V1Pod pod)
    {
        lock (gate)
        {
            pod = KubernetesJson.Deserialize<V1Pod>(KubernetesJson.Serialize(pod));
            pod.Metadata.ResourceVersion = (++version).ToString();
            pods = type == "DELETED" ? pods.Remove(pod.Name()) : pods.SetItem(pod.Name(), pod);
            history.Add((version, type, pod));
            watchers.ForEach(w => w.TryWrite(0));
        }
    }

    private async Task ListOrWatch(HttpContext http)
    {
        Assert.Equal("spec.nodeName=node-1", http.Request.Query["fieldSelector"]);
        if (http.Request.Query["watch"] != "true")
        {
            await Write(http, KubernetesJson.Serialize(new V1PodList
            {
                ApiVersion = "v1", Kind = "PodList", Metadata = new() { ResourceVersion = version.ToString() }, Items = [.. pods.Values],
            }));
            return;
        }
        var news = Channel.CreateUnbounded<int>();
        lock (gate)
            watchers.Add(news.Writer);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, ending.Token);
        var seen = long.Parse(http.Request.Query["resourceVersion"]!);
        try
        {
            http.Response.ContentType = "application/json";
            await http.Response.StartAsync(end.Token);
            while (!Away)
            {
                List<(long Version, string Type, V1Pod Pod)> fresh;
                lock (gate)
                    fresh = WatchIsLate ? [] : [.. history.Where(h => h.Version > seen)];
                foreach (var (at, type, pod) in fresh)
                {
                    await http.Response.WriteAsync($$"""{"type":"{{type}}","object":{{KubernetesJson.Serialize(pod)}}}""" + "\n", end.Token);
                    seen = at;
                }
                await http.Response.Body.FlushAsync(end.Token);
                using var look = CancellationTokenSource.CreateLinkedTokenSource(end.Token);
                look.CancelAfter(100);
                try
                {
                    await news.Reader.ReadAsync(look.Token);
                }
                catch (OperationCanceledException) when (!end.IsCancellationRequested)
                {
                    // Look again: the server may be away now.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The client or the test ended.
        }
    }

    private async Task PatchPod(HttpContext http, string name)
    {
        var patch = (await JsonNode.ParseAsync(http.Request.Body))!["metadata"]!;
        V1Pod pod;
        lock (gate)
        {
            if (!pods.TryGetValue(name, out pod!))
                pod = null!;
            else if (patch["uid"]?.GetValue<string>() is { } uid && uid != pod.Uid())
                pod = new();
            else
            {
                pod = KubernetesJson.Deserialize<V1Pod>(KubernetesJson.Serialize(pod));
                foreach (var (key, value) in patch["annotations"]!.AsObject())
                    pod.SetAnnotation(key, value!.GetValue<string>());
                Change("MODIFIED", pod);
            }
        }
        await (pod is null ? Status(http, 404) : pod.Metadata is null ? Status(http, 409) : Write(http, KubernetesJson.Serialize(pod)));
    }

    private async Task PatchNode(HttpContext http)
    {
        var patch = (await JsonNode.ParseAsync(http.Request.Body))!;
        foreach (var (key, value) in patch["metadata"]!["annotations"]!.AsObject())
            if (value is null)
                Node.Annotations()?.Remove(key);
            else
                Node.SetAnnotation(key, value.GetValue<string>());
        NodePatches++;
        await Write(http, KubernetesJson.Serialize(Node));
    }

    private static Task Write(HttpContext http, string json)
    {
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(json);
    }

    private static Task Status(HttpContext http, int code)
    {
        http.Response.StatusCode = code;
        return Write(http, $$"""{"kind":"Status","apiVersion":"v1","status":"Failure","code":{{code}}}""");
    }
}
