using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One watch: what is there (when asked), then every change after its cursor, once and in order.</summary>
/// <remarks>The cursor moves over the store's own history, so nothing is lost between two reads and nothing is sent twice.</remarks>
internal sealed class WatchSession(ObjectStore store, HttpContext http, ApiRequest at, View view)
{
    private static readonly TimeSpan BookmarkEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan DefaultLength = TimeSpan.FromMinutes(30);

    private readonly Selector _selector = Reads.SelectorOf(http, at);
    private readonly bool _bookmarks = http.Request.Query["allowWatchBookmarks"].ToString() is "true" or "1";
    private bool _sentAny;
    private long _cursor;

    public async Task Run(CancellationToken stopping)
    {
        var query = http.Request.Query;
        var sendInitial = SendInitialEvents();
        var begins = long.TryParse(query["resourceVersion"], out var from) && from > 0;
        // Refused before the answer begins, as far as it can be: afterwards an error is an event of the watch.
        if (begins && sendInitial is not true)
            _ = store.Since(at.Resource, from);
        else if (begins && from > store.Revision)
            throw KubernetesError.TooLargeRevision(from, store.Revision);
        var length = double.TryParse(query["timeoutSeconds"], out var seconds) && seconds > 0 ? TimeSpan.FromSeconds(seconds) : DefaultLength;

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping, http.RequestAborted);
        using var timer = new CancellationTokenSource(length, view.Time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ended.Token, timer.Token);
        http.Response.StatusCode = 200;
        http.Response.ContentType = Answers.JsonType;
        Answers.Unbuffer(http);
        await http.Response.StartAsync(ended.Token);
        await http.Response.Body.FlushAsync(ended.Token);
        try
        {
            _cursor = from;
            if (sendInitial is true || (!begins && sendInitial is not false))
                await SendWhatIsThere(sendInitial is true, over.Token);
            else if (!begins)
                _cursor = store.Revision;
            await Follow(over.Token);
        }
        catch (OperationCanceledException) when (timer.IsCancellationRequested)
        {
            // A client that gets a last bookmark resumes from now rather than from its last object.
            if (_bookmarks && !ended.IsCancellationRequested)
                await Send("BOOKMARK", Bookmark(initialEnd: false), ended.Token);
        }
        catch (OperationCanceledException)
        {
            // The client hung up, or the server stops: that is how watches end.
        }
        catch (KubernetesError e)
        {
            await Send("ERROR", Json.Utf8(e.Status), ended.Token);
        }
    }

    private async Task SendWhatIsThere(bool sayWhenDone, CancellationToken over)
    {
        var (objects, revision) = store.List(at.Resource, at.Namespace);
        foreach (var stored in objects.Where(_selector.Matches))
            await Send("ADDED", stored, over);
        _cursor = revision;
        if (sayWhenDone && _bookmarks)
            await Send("BOOKMARK", Bookmark(initialEnd: true), over);
        await http.Response.Body.FlushAsync(over);
    }

    private async Task Follow(CancellationToken over)
    {
        while (true)
        {
            var news = store.Since(at.Resource, _cursor);
            foreach (var change in news.Changes)
                await Send(change, over);
            _cursor = news.UpTo;
            if (news.Changes.Length > 0)
                await http.Response.Body.FlushAsync(over);
            try
            {
                await news.Next.WaitAsync(BookmarkEvery, view.Time, over);
            }
            catch (TimeoutException)
            {
                if (!_bookmarks)
                    continue;
                // The revision may have moved on by other resources; a bookmark lets the client follow.
                await Send("BOOKMARK", Bookmark(initialEnd: false), over);
                await http.Response.Body.FlushAsync(over);
            }
        }
    }

    /// <summary>A change as this watch sees it: an object that enters the selection is added, one that leaves it deleted.</summary>
    private Task Send(Change change, CancellationToken over)
    {
        var before = change.Before is { } old && Sees(old) ? old : null;
        var after = change.After is { } @new && Sees(@new) ? @new : null;
        return (before, after) switch
        {
            (null, null) => Task.CompletedTask,
            (null, { } added) => Send("ADDED", added, over),
            ({ } gone, null) => Send("DELETED", gone.Revision == change.Revision ? gone : gone.At(change.Revision), over),
            (_, { } modified) => Send("MODIFIED", modified, over),
        };
    }

    private bool Sees(Stored stored) => (at.Namespace is null or "" || stored.Namespace == at.Namespace) && _selector.Matches(stored);

    private Task Send(string type, Stored stored, CancellationToken over)
    {
        var shown = view.Watched(stored, first: !_sentAny);
        _sentAny = true;
        return Send(type, shown, over);
    }

    private async Task Send(string type, ReadOnlyMemory<byte> shown, CancellationToken over) =>
        await http.Response.Body.WriteAsync((byte[])[.. Encoding.UTF8.GetBytes($"{{\"type\":\"{type}\",\"object\":"), .. shown.Span, (byte)'}', (byte)'\n'], over);

    private byte[] Bookmark(bool initialEnd)
    {
        var metadata = View.Revision(_cursor);
        if (initialEnd)
            metadata["annotations"] = new JsonObject { ["k8s.io/initial-events-end"] = "true" };
        if (view.As is "Table")
        {
            var partial = new JsonObject { ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = metadata.DeepClone() };
            return Json.Utf8(new JsonObject
            {
                ["kind"] = "Table", ["apiVersion"] = "meta.k8s.io/v1", ["metadata"] = View.Revision(_cursor), ["columnDefinitions"] = null,
                ["rows"] = new JsonArray(new JsonObject { ["cells"] = new JsonArray(), ["object"] = partial }),
            });
        }
        return Json.Utf8(new JsonObject { ["kind"] = at.Resource.Kind, ["apiVersion"] = at.Resource.ApiVersion, ["metadata"] = metadata });
    }

    private bool? SendInitialEvents()
    {
        var asked = http.Request.Query["sendInitialEvents"].ToString();
        var match = http.Request.Query["resourceVersionMatch"].ToString();
        if (asked.Length == 0 && match.Length == 0)
            return null;
        var options = at.Resource with { Kind = "ListOptions", Group = "meta.k8s.io" };
        if (asked.Length == 0)
            throw KubernetesError.Invalid(options, "", Cause.Forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
        if (match is not "NotOlderThan")
            throw KubernetesError.Invalid(options, "", Cause.Forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
        return asked is "true" or "1";
    }
}
