using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using k8s;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>What an extender answers to <c>/filter</c>: the nodes that fit and why the others do not, or an error when it could not decide.</summary>
internal sealed record FilterAnswer(
    IReadOnlyList<string>? NodeNames,
    IReadOnlyDictionary<string, string>? FailedNodes,
    IReadOnlyDictionary<string, string>? FailedAndUnresolvableNodes,
    string? Error);

/// <summary>One line of an extender's answer to <c>/prioritize</c>: 0 to 10, more is better.</summary>
internal sealed record HostPriority(string Host, long Score);

/// <summary>What an extender answers to <c>/bind</c>.</summary>
internal sealed record BindAnswer(string? Error);

/// <summary>The extender could not be asked, or said that it could not decide; the pod is tried again after its back-off.</summary>
internal sealed class ExtenderException : Exception
{
    public ExtenderException(string message) : base(message)
    {
    }

    public ExtenderException(string message, Exception inner) : base(message, inner)
    {
    }

    public ExtenderException()
    {
    }
}

/// <summary>Speaks to a scheduler extender as kube-scheduler does: Go-cased names, the whole pod, node names only.</summary>
internal sealed class ExtenderClient : IDisposable
{
    // The answer's names are Go-cased on the wire, but both sides read them in any case.
    private static readonly JsonSerializerOptions AnyCase = new() { PropertyNameCaseInsensitive = true };

    private readonly HttpClient _http;
    private readonly string _url;

    public ExtenderClient(Uri url, TimeSpan timeout)
    {
        _url = url.ToString().TrimEnd('/');
        var handler = new SocketsHttpHandler { UseProxy = false };
#pragma warning disable CA5359, MA0039 // The lab's extender has a certificate of its own making; kube-scheduler is configured with insecure: true as well.
        handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359, MA0039
        _http = new(handler) { Timeout = timeout };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("Go-http-client/1.1");
    }

    /// <summary>Which of the nodes fit the pod. Throws <see cref="ExtenderException"/> when the extender cannot say.</summary>
    public async Task<FilterAnswer> Filter(V1Pod pod, IReadOnlyCollection<string> nodeNames, CancellationToken cancellationToken)
    {
        var answer = await Post<FilterAnswer>("filter", FilterBody(pod, nodeNames), cancellationToken);
        return string.IsNullOrEmpty(answer.Error) ? answer : throw new ExtenderException(answer.Error);
    }

    /// <summary>How well the extender likes each of the nodes that fit.</summary>
    public Task<IReadOnlyList<HostPriority>> Prioritize(V1Pod pod, IReadOnlyCollection<string> nodeNames, CancellationToken cancellationToken) =>
        Post<IReadOnlyList<HostPriority>>("prioritize", FilterBody(pod, nodeNames), cancellationToken);

    /// <summary>Has the extender bind the pod. Throws <see cref="ExtenderException"/> when it did not.</summary>
    public async Task Bind(V1Pod pod, string node, CancellationToken cancellationToken)
    {
        var answer = await Post<BindAnswer>("bind", BindBody(pod, node), cancellationToken);
        if (!string.IsNullOrEmpty(answer.Error))
            throw new ExtenderException(answer.Error);
    }

    public static byte[] FilterBody(V1Pod pod, IReadOnlyCollection<string> nodeNames) => Write(json =>
    {
        json.WritePropertyName("Pod");
        json.WriteRawValue(KubernetesJson.Serialize(AsTheSchedulerKnowsIt(pod)));
        json.WriteNull("Nodes");
        json.WriteStartArray("NodeNames");
        foreach (var name in nodeNames)
            json.WriteStringValue(name);
        json.WriteEndArray();
    });

    public static byte[] BindBody(V1Pod pod, string node) => Write(json =>
    {
        json.WriteString("PodName", pod.Name());
        json.WriteString("PodNamespace", pod.Namespace());
        json.WriteString("PodUID", pod.Uid());
        json.WriteString("Node", node);
    });

    public void Dispose() => _http.Dispose();

    // kube-scheduler's cache keeps neither the type words nor managedFields, so the extender never sees them.
    private static V1Pod AsTheSchedulerKnowsIt(V1Pod pod)
    {
        var copy = KubernetesJson.Deserialize<V1Pod>(KubernetesJson.Serialize(pod));
        copy.ApiVersion = null;
        copy.Kind = null;
        copy.Metadata.ManagedFields = null;
        return copy;
    }

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }

    private async Task<TAnswer> Post<TAnswer>(string verb, byte[] body, CancellationToken cancellationToken)
    {
        var url = $"{_url}/{verb}";
        try
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await _http.PostAsync(new Uri(url), content, cancellationToken);
            if (response.StatusCode != System.Net.HttpStatusCode.OK)
                throw new ExtenderException($"failed {verb} with extender at URL {url}, code {(int)response.StatusCode}");
            var text = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return JsonSerializer.Deserialize<TAnswer>(text, AnyCase)
                ?? throw new ExtenderException($"The extender at {url} answered null.");
        }
        catch (HttpRequestException e)
        {
            throw new ExtenderException($"Post \"{url}\": {e.Message}", e);
        }
        catch (JsonException e)
        {
            throw new ExtenderException($"The answer of the extender at {url} is not JSON: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ExtenderException($"Post \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)", e);
        }
    }
}
