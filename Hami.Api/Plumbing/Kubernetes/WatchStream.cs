using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>Decodes one line of a watch.</summary>
internal delegate (WatchEventType Type, T Object) ReadLine<T>(ReadOnlySpan<byte> line);

/// <summary>Follows what happens to the objects of a resource; the objects are the client's.</summary>
/// <remarks>The client's own watch makes each line a string and decodes it twice, first to see whether it is an error, which shows where many pods are followed.</remarks>
internal static class WatchStream
{
    /// <summary>Changes and bookmarks, in order, until the server ends the watch.</summary>
    /// <param name="kubernetes">The client's own class, for its connections and credentials.</param>
    /// <param name="path">Of the resource's list, such as <c>api/v1/pods</c>.</param>
    /// <param name="resourceVersion">What is known already; null begins with all there is.</param>
    /// <param name="read">Decodes a line instead of <see cref="Read{T}(ReadOnlySpan{byte})"/>.</param>
    /// <exception cref="KubernetesException">The server ended it with an error, such as 410: list again.</exception>
    /// <exception cref="HttpOperationException">The server refused to begin.</exception>
    public static async IAsyncEnumerable<(WatchEventType Type, T Object)> Of<T>(
        IKubernetes kubernetes, string path, string? resourceVersion, [EnumeratorCancellation] CancellationToken ct,
        string? fieldSelector = null, string? labelSelector = null, ReadLine<T>? read = null)
    {
        using var answer = await BeginAsync((k8s.Kubernetes)kubernetes, path + Query(resourceVersion, fieldSelector, labelSelector), ct);
        read ??= Read<T>;
        var lines = PipeReader.Create(await answer.Content.ReadAsStreamAsync(ct));
        try
        {
            for (ReadResult come; !(come = await lines.ReadAsync(ct)).IsCompleted || !come.Buffer.IsEmpty;)
            {
                var rest = come.Buffer;
                while (TryTake(ref rest, out var line, come.IsCompleted))
                {
                    if (!line.IsEmpty)
                        yield return read(line.IsSingleSegment ? line.FirstSpan : line.ToArray());
                }
                lines.AdvanceTo(rest.Start, rest.End);
            }
        }
        finally
        {
            await lines.CompleteAsync();
        }
    }

    private static string Query(string? resourceVersion, string? fieldSelector, string? labelSelector) =>
        "?watch=true&allowWatchBookmarks=true" + Parameter("resourceVersion", resourceVersion) + Parameter("fieldSelector", fieldSelector) + Parameter("labelSelector", labelSelector);

    private static string Parameter(string name, string? value) => string.IsNullOrEmpty(value) ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    private static async Task<HttpResponseMessage> BeginAsync(k8s.Kubernetes kubernetes, string path, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(kubernetes.BaseUri, path)) { Version = HttpVersion.Version20 };
        if (kubernetes.Credentials is { } credentials)
            await credentials.ProcessHttpRequestAsync(request, ct);
        var answer = await kubernetes.HttpClient.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        if (answer.IsSuccessStatusCode)
            return answer;
        using (answer)
        {
            var said = await answer.Content.ReadAsStringAsync(ct);
            throw new HttpOperationException($"The API server refused to watch {path}: {(int)answer.StatusCode} {said}") { Response = new HttpResponseMessageWrapper(answer, said) };
        }
    }

    // The last line may lack its end.
    private static bool TryTake(ref ReadOnlySequence<byte> rest, out ReadOnlySequence<byte> line, bool last)
    {
        var reader = new SequenceReader<byte>(rest);
        if (reader.TryReadTo(out line, (byte)'\n'))
        {
            rest = reader.UnreadSequence;
            return true;
        }
        if (!last || rest.IsEmpty)
            return false;
        (line, rest) = (rest, rest.Slice(rest.End));
        return true;
    }

    /// <summary>A line of a watch, without its end.</summary>
    /// <exception cref="KubernetesException">It tells of an error.</exception>
    public static (WatchEventType Type, T Object) Read<T>(ReadOnlySpan<byte> line) => Read<T>(line, ClientJson.Options);

    /// <param name="line">A line of a watch, without its end.</param>
    /// <param name="options">How its object is read.</param>
    /// <inheritdoc cref="Read{T}(ReadOnlySpan{byte})"/>
    public static (WatchEventType Type, T Object) Read<T>(ReadOnlySpan<byte> line, JsonSerializerOptions options)
    {
        var reader = new Utf8JsonReader(line);
        WatchEventType? type = null;
        var told = -1;
        reader.Read();
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var (isType, isObject) = (reader.ValueTextEquals("type"u8), reader.ValueTextEquals("object"u8));
            reader.Read();
            if (isType)
                type = JsonSerializer.Deserialize<WatchEventType>(ref reader, ClientJson.Options);
            // Kubernetes says first what kind of change it is.
            else if (isObject && type is { } what)
                return (what, ReadObject<T>(ref reader, what, options));
            else if (isObject)
                told = (int)reader.TokenStartIndex;
            reader.Skip();
        }
        if (type is not { } late || told < 0)
            throw new JsonException("A line of a watch is without a type or without an object.");
        reader = new(line[told..]);
        return (late, ReadObject<T>(ref reader, late, options));
    }

    // An error's object is of another kind, which need not even decode as T.
    private static T ReadObject<T>(ref Utf8JsonReader reader, WatchEventType type, JsonSerializerOptions options) => type is WatchEventType.Error
        ? throw new KubernetesException(JsonSerializer.Deserialize<V1Status>(ref reader, ClientJson.Options)!)
        : JsonSerializer.Deserialize<T>(ref reader, options)!;
}
