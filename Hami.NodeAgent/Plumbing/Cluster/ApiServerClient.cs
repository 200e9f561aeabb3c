using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>The few calls that a node agent makes to the API server. Credentials and certificates are the Kubernetes client's; objects are read only as far as they are asked for.</summary>
/// <remarks>
/// The client's own types hold all of every object, and read them by reflection: three times the memory of this process, and no native code. docs/decisions/0006-native-agent.md.
/// All throw <see cref="ApiServerException"/> where the server refuses, and what <see cref="HttpClient"/> throws where it is away.
/// </remarks>
/// <param name="authenticate">Puts the credentials on a request.</param>
internal sealed class ApiServerClient(HttpClient http, Uri server, Func<HttpRequestMessage, CancellationToken, Task> authenticate)
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");
    private static readonly MediaTypeHeaderValue Merge = new("application/merge-patch+json");

    public Task<PodList> ListPodsAsync(string fieldSelector, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Get, $"api/v1/pods?fieldSelector={Uri.EscapeDataString(fieldSelector)}", null, ClusterJson.Default.PodList, cancellation);

    /// <summary>What happens to pods after a resource version, with bookmarks, until the server ends the watch.</summary>
    public async IAsyncEnumerable<WatchEvent> WatchPodsAsync(
        string fieldSelector, string resourceVersion, TimeSpan length, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var query = $"fieldSelector={Uri.EscapeDataString(fieldSelector)}&resourceVersion={Uri.EscapeDataString(resourceVersion)}"
            + $"&watch=true&allowWatchBookmarks=true&timeoutSeconds={(int)length.TotalSeconds}";
        using var response = await AnswerAsync(HttpMethod.Get, $"api/v1/pods?{query}", null, cancellation);
        var lines = PipeReader.Create(await response.Content.ReadAsStreamAsync(cancellation));
        try
        {
            for (ReadResult read; !(read = await lines.ReadAsync(cancellation)).IsCompleted || !read.Buffer.IsEmpty;)
            {
                var rest = read.Buffer;
                while (Line(ref rest, read.IsCompleted) is { } line)
                    if (!line.IsEmpty)
                        yield return WatchEvent.Read(line.IsSingleSegment ? line.FirstSpan : line.ToArray());
                lines.AdvanceTo(rest.Start, rest.End);
            }
        }
        finally
        {
            await lines.CompleteAsync();
        }
    }

    public Task<Pod> ReadPodAsync(string @namespace, string name, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Get, PodPath(@namespace, name), null, ClusterJson.Default.Pod, cancellation);

    /// <param name="patch">See <see cref="MergePatch"/>.</param>
    public Task<Pod> PatchPodAsync(string @namespace, string name, string patch, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Patch, PodPath(@namespace, name), Body(patch, Merge), ClusterJson.Default.Pod, cancellation);

    public Task<Node> ReadNodeAsync(string name, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Get, NodePath(name), null, ClusterJson.Default.Node, cancellation);

    /// <param name="patch">See <see cref="MergePatch"/>.</param>
    public Task<Node> PatchNodeAsync(string name, string patch, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Patch, NodePath(name), Body(patch, Merge), ClusterJson.Default.Node, cancellation);

    public Task<Event> ReadEventAsync(string @namespace, string name, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Get, EventsPath(@namespace, name), null, ClusterJson.Default.Event, cancellation);

    public Task<Event> CreateEventAsync(Event @event, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, EventsPath(@event.Metadata.Namespace), Body(@event), ClusterJson.Default.Event, cancellation);

    public Task<Event> ReplaceEventAsync(Event @event, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Put, EventsPath(@event.Metadata.Namespace, @event.Metadata.Name), Body(@event), ClusterJson.Default.Event, cancellation);

    private static string PodPath(string @namespace, string name) => $"api/v1/namespaces/{Uri.EscapeDataString(@namespace)}/pods/{Uri.EscapeDataString(name)}";

    private static string NodePath(string name) => $"api/v1/nodes/{Uri.EscapeDataString(name)}";

    private static string EventsPath(string @namespace, string? name = null) =>
        $"api/v1/namespaces/{Uri.EscapeDataString(@namespace)}/events{(name is null ? "" : $"/{Uri.EscapeDataString(name)}")}";

    private static StringContent Body(string text, MediaTypeHeaderValue type) => new(text, Encoding.UTF8, type);

    private static StringContent Body(Event @event) => Body(JsonSerializer.Serialize(@event, ClusterJson.Default.Event), Json);

    // The last line may lack its end.
    private static ReadOnlySequence<byte>? Line(ref ReadOnlySequence<byte> rest, bool last)
    {
        var reader = new SequenceReader<byte>(rest);
        if (reader.TryReadTo(out ReadOnlySequence<byte> line, (byte)'\n'))
        {
            rest = reader.UnreadSequence;
            return line;
        }
        if (!last || rest.IsEmpty)
            return null;
        (line, rest) = (rest, rest.Slice(rest.End));
        return line;
    }

    private async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        using var response = await AnswerAsync(method, path, body, cancellation);
        // At most the pods of a node: short enough to be read whole.
        var text = await response.Content.ReadAsByteArrayAsync(cancellation);
        return JsonSerializer.Deserialize(text, type) ?? throw new JsonException($"The API server answered {method} {path} with nothing.");
    }

    private async Task<HttpResponseMessage> AnswerAsync(HttpMethod method, string path, HttpContent? body, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, new Uri(server, path)) { Content = body, Version = HttpVersion.Version20 };
        await authenticate(request, cancellation);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
            throw new ApiServerException(response.StatusCode, Reason(response.StatusCode, await response.Content.ReadAsStringAsync(cancellation)));
    }

    // A proxy in between answers in its own words.
    private static string Reason(HttpStatusCode code, string body)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, ClusterJson.Default.Refusal)?.Message is { Length: > 0 } message)
                return message;
        }
        catch (JsonException)
        {
        }
        return $"HTTP {(int)code} {code}";
    }
}
