using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text.Json;
using Hami.Lab.Cluster;

namespace Hami.Lab.Hollow;

/// <summary>What has become of one pod.</summary>
internal enum PodChange
{
    /// <summary>It is there, new or changed.</summary>
    Seen,

    /// <summary>Its object is gone.</summary>
    Gone,

    /// <summary>A whole list is about to be told.</summary>
    Listing,

    /// <summary>A whole list has been told: what it did not name is gone.</summary>
    Listed,
}

/// <summary>One list and one watch of bound pods, read as bare JSON; nothing of it is kept here.</summary>
/// <param name="among">A field selector more; null for all bound pods.</param>
internal sealed partial class PodStream(BareApi api, TimeProvider time, ILogger log, string? among = null)
{
    private const int PageSize = 500;
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(300);
    private readonly string _bound = $"/api/v1/pods?fieldSelector={Uri.EscapeDataString(among is null ? "spec.nodeName!=" : $"spec.nodeName!=,{among}")}";
    private string _version = "";

    /// <summary>Tells every change until cancelled, one at a time; the JSON is only good during the call.</summary>
    public async Task Follow(Func<PodChange, JsonElement, Task> tell, CancellationToken cancellationToken)
    {
        var mustList = true;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                if (mustList)
                    await List(tell, cancellationToken);
                mustList = !await Watch(tell, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // The server that is back may be another one, which knows nothing of our place.
                mustList = true;
                Broke(log, e.Message);
            }
            await Task.Delay(Rest, time, cancellationToken);
        }
    }

    private async Task List(Func<PodChange, JsonElement, Task> tell, CancellationToken cancellationToken)
    {
        var next = "";
        await tell(PodChange.Listing, default);
        do
        {
            using var answer = await api.Get($"{_bound}&limit={PageSize}{(next.Length > 0 ? $"&continue={Uri.EscapeDataString(next)}" : "")}", cancellationToken);
            answer.EnsureSuccessStatusCode();
            await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
            using var page = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
            if (page.RootElement.TryGetProperty("items", out var items) && items.ValueKind is JsonValueKind.Array)
            {
                foreach (var pod in items.EnumerateArray())
                    await tell(PodChange.Seen, pod);
            }
            var metadata = page.RootElement.GetProperty("metadata");
            _version = Text(metadata, "resourceVersion") ?? "";
            next = Text(metadata, "continue") ?? "";
        }
        while (next.Length > 0);
        await tell(PodChange.Listed, default);
    }

    /// <summary>True when it can be taken up where it ended.</summary>
    private async Task<bool> Watch(Func<PodChange, JsonElement, Task> tell, CancellationToken cancellationToken)
    {
        using var answer = await api.Get($"{_bound}&watch=1&allowWatchBookmarks=true&resourceVersion={_version}", cancellationToken);
        if (answer.StatusCode is HttpStatusCode.Gone)
            return false;
        answer.EnsureSuccessStatusCode();
        var pipe = PipeReader.Create(await answer.Content.ReadAsStreamAsync(cancellationToken));
        try
        {
            while (true)
            {
                var read = await pipe.ReadAsync(cancellationToken);
                var buffer = read.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    if (!await Take(buffer.Slice(0, end), tell))
                        return false;
                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                }
                pipe.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted)
                    return true;
            }
        }
        finally
        {
            await pipe.CompleteAsync();
        }
    }

    private async Task<bool> Take(ReadOnlySequence<byte> line, Func<PodChange, JsonElement, Task> tell)
    {
        using var change = JsonDocument.Parse(line);
        var type = Text(change.RootElement, "type");
        var pod = change.RootElement.GetProperty("object");
        // An error is the server's "list again".
        if (type is "ERROR")
            return false;
        if (type is "ADDED" or "MODIFIED")
            await tell(PodChange.Seen, pod);
        else if (type is "DELETED")
            await tell(PodChange.Gone, pod);
        _version = Text(pod.GetProperty("metadata"), "resourceVersion") ?? _version;
        return true;
    }

    private static string? Text(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The pod watch of the hollow nodes broke and is taken up again: {Sentence}")]
    private static partial void Broke(ILogger logger, string sentence);
}
