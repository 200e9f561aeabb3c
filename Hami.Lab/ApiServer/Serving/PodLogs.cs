using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>pods/log: asks the kubelet of the pod's node and passes its words on as they come.</summary>
internal sealed class PodLogs(ObjectStore store) : IDisposable
{
    private readonly HttpClient _kubelets = new(new SocketsHttpHandler
    {
        UseProxy = false,
#pragma warning disable MA0039, CA5359 // A kubelet's certificate is its own work; kube-apiserver without --kubelet-certificate-authority does not verify it either.
        SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore MA0039, CA5359
    }) { Timeout = Timeout.InfiniteTimeSpan };

    public async Task Send(HttpContext http, ApiRequest at, CancellationToken stopping)
    {
        var pod = store.Get(at.Resource, at.Namespace, at.Name);
        var container = Container(pod, http.Request.Query["container"].ToString());
        if (pod.Body.TextAt("spec", "nodeName") is not { Length: > 0 } nodeName)
        {
            // A pod nobody runs has said nothing: recorded as 204 without a body.
            http.Response.StatusCode = 204;
            return;
        }
        var node = store.Get(Resources.Nodes, "", nodeName);
        var port = node.Body.NumberAt("status", "daemonEndpoints", "kubeletEndpoint", "Port") ?? 10250;
        var target = new UriBuilder("https", Host(node.Body), (int)port, $"/containerLogs/{at.Namespace}/{at.Name}/{container}")
        {
            Query = string.Join('&', http.Request.Query.Where(q => q.Key is not ("container" or "timeout"))
                .SelectMany(q => q.Value.Select(v => $"{Uri.EscapeDataString(q.Key)}={Uri.EscapeDataString(v ?? "")}"))),
        }.Uri;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping, http.RequestAborted);
        try
        {
            using var answer = await _kubelets.GetAsync(target, HttpCompletionOption.ResponseHeadersRead, ended.Token);
            if (!answer.IsSuccessStatusCode)
            {
                var said = (await answer.Content.ReadAsStringAsync(ended.Token)).Trim();
                throw (int)answer.StatusCode switch
                {
                    400 => KubernetesError.BadRequest(said),
                    404 => new KubernetesError(404, "NotFound", $"the server could not find the requested resource ( pods/log {at.Name})", new JsonObject { ["name"] = at.Name, ["kind"] = "pods/log" }),
                    _ => KubernetesError.Internal($"an error on the server (\"{said}\") has prevented the request from succeeding"),
                };
            }
            http.Response.StatusCode = 200;
            http.Response.ContentType = "text/plain";
            Answers.Unbuffer(http);
            await using var lines = await answer.Content.ReadAsStreamAsync(ended.Token);
            await Pump(lines, http.Response.Body, ended.Token);
        }
        catch (HttpRequestException e) when (!http.Response.HasStarted)
        {
            throw KubernetesError.Internal($"Get \"{target}\": {e.Message}");
        }
        catch (OperationCanceledException)
        {
            // The reader of a followed log went away, or the server stops.
        }
    }

    public void Dispose() => _kubelets.Dispose();

    // Flushed piece by piece: a followed log is read as it is written.
    private static async Task Pump(Stream from, Stream to, CancellationToken ended)
    {
        await to.FlushAsync(ended);
        var buffer = new byte[16 * 1024];
        while (await from.ReadAsync(buffer, ended) is > 0 and var count)
        {
            await to.WriteAsync(buffer.AsMemory(0, count), ended);
            await to.FlushAsync(ended);
        }
    }

    // Every kubelet of the lab is on this machine, whatever address its node shows to people.
    private static string Host(JsonObject node) =>
        node.ListAt("status", "addresses").Objects().Select(a => a.TextAt("address")).FirstOrDefault(a => a?.StartsWith("127.", StringComparison.Ordinal) is true) ?? "127.0.0.1";

    private static string Container(Stored pod, string asked)
    {
        var inits = pod.Body.ListAt("spec", "initContainers").Objects().Select(c => c.TextAt("name")!).ToArray();
        var names = pod.Body.ListAt("spec", "containers").Objects().Select(c => c.TextAt("name")!).ToArray();
        if (asked.Length == 0)
        {
            if (names is [var only])
                return only;
            var init = inits.Length > 0 ? $" or one of the init containers: [{string.Join(' ', inits)}]" : "";
            throw KubernetesError.BadRequest($"a container name must be specified for pod {pod.Name}, choose one of: [{string.Join(' ', names)}]{init}");
        }
        if (!names.Contains(asked, StringComparer.Ordinal) && !inits.Contains(asked, StringComparer.Ordinal))
            throw KubernetesError.BadRequest($"container {asked} is not valid for pod {pod.Name}");
        return asked;
    }
}
