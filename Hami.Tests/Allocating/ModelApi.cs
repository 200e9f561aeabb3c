using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using WatchEventType = Hami.NodeAgent.Plumbing.Cluster.WatchEventType;

namespace Hami.Tests.Allocating;

/// <summary>The API server of a model: one thread asks, nothing travels.</summary>
internal sealed class ModelApi : DelegatingHandler
{
    private readonly Lock gate = new();
    private readonly List<V1Pod> pods = [];
    private readonly Queue<(WatchEventType Type, V1Pod Pod)> news = [];

    public ModelApi() => Client = new Kubernetes(new KubernetesClientConfiguration { Host = "http://model" }, this);

    public IKubernetes Client { get; }

    public bool Away { get; set; }

    /// <summary>A moment at which the agent can be killed.</summary>
    public Action Moment { get; set; } = static () => { };

    public IReadOnlyList<V1Pod> Pods
    {
        get
        {
            lock (gate)
                return [.. pods];
        }
    }

    public bool HasNews => news.Count > 0;

    public (WatchEventType Type, V1Pod Pod) Next()
    {
        lock (gate)
            return news.Dequeue();
    }

    /// <summary>As an agent lists that starts anew: what it has not been told yet is in there.</summary>
    public V1PodList List()
    {
        lock (gate)
        {
            news.Clear();
            return new() { Items = [.. pods], Metadata = new() };
        }
    }

    public void Put(V1Pod pod)
    {
        lock (gate)
        {
            var at = pods.FindIndex(p => p.Uid() == pod.Uid());
            if (at < 0)
                pods.Add(pod);
            else
                pods[at] = pod;
            news.Enqueue((at < 0 ? WatchEventType.Added : WatchEventType.Modified, pod));
        }
    }

    public void Change(string uid, Action<V1Pod> change)
    {
        lock (gate)
        {
            if (pods.Find(p => p.Uid() == uid) is not { } pod)
                return;
            pod = KubernetesJson.Deserialize<V1Pod>(KubernetesJson.Serialize(pod));
            change(pod);
            Put(pod);
        }
    }

    public void Delete(string uid)
    {
        lock (gate)
        {
            var pod = pods.Find(p => p.Uid() == uid);
            if (pod is null)
                return;
            pods.Remove(pod);
            news.Enqueue((WatchEventType.Deleted, pod));
        }
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var answer = await Answered(request, cancellationToken);
        answer.RequestMessage = request;
        return answer;
    }

    private async Task<HttpResponseMessage> Answered(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Moment();
        if (Away)
            return Answer(HttpStatusCode.ServiceUnavailable, "{}");
        var path = request.RequestUri!.AbsolutePath.TrimStart('/');
        if (path == "api/v1/pods")
            return Answer(HttpStatusCode.OK, KubernetesJson.Serialize(new V1PodList { ApiVersion = "v1", Kind = "PodList", Metadata = new(), Items = [.. Pods] }));
        var name = path.Split('/')[^1];
        if (request.Method == HttpMethod.Post)
            return Answer(HttpStatusCode.Created, await request.Content!.ReadAsStringAsync(cancellationToken));
        if (Pods.FirstOrDefault(p => p.Name() == name) is not { } pod)
            return Answer(HttpStatusCode.NotFound, "{}");
        if (request.Method == HttpMethod.Patch)
        {
            var patch = JsonNode.Parse(await request.Content!.ReadAsStringAsync(cancellationToken))!["metadata"]!;
            if (patch["uid"]!.GetValue<string>() != pod.Uid())
                return Answer(HttpStatusCode.Conflict, "{}");
            Change(pod.Uid(), p =>
            {
                foreach (var (key, value) in patch["annotations"]!.AsObject())
                    p.SetAnnotation(key, value!.GetValue<string>());
            });
        }
        return Answer(HttpStatusCode.OK, KubernetesJson.Serialize(pod));
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Client.Dispose();
        base.Dispose(disposing);
    }

    private static HttpResponseMessage Answer(HttpStatusCode status, string json) =>
        new(status) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
}
