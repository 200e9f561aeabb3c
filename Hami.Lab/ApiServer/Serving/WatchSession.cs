using System.Buffers;
using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One watch: what is there (when asked), then every change after its cursor, once and in order.</summary>
/// <remarks>The cursor moves over the store's own history, so nothing is lost between two reads and nothing is sent twice.</remarks>
internal sealed class WatchSession(ObjectStore store, HttpContext http, ApiRequest at, View view, bool refuseOld)
{
    private const int FlushFrom = 32 * 1024;
    private static readonly TimeSpan BookmarkEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan DefaultLength = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan LongestLength = TimeSpan.FromDays(1);

    private readonly Selector _selector = Reads.SelectorOf(http, at);
    private readonly bool _bookmarks = http.Request.Query["allowWatchBookmarks"].ToString() is "true" or "1";
    private bool _sentAny;
    private bool _sentInitial;
    private int _unflushed;
    private long _cursor;
    private CancellationToken _ended;

    public async Task Run(CancellationToken stopping)
    {
        var query = http.Request.Query;
        var sendInitial = ListOptions.OfWatch(query);
        var from = ListOptions.RevisionIn(query);
        var begins = from > 0;
        // A revision that does not exist yet is refused before the answer begins; one that is forgotten, by an event of the watch.
        if (from > store.Revision)
            throw KubernetesError.TooLargeRevision(from, store.Revision);
        if (begins && refuseOld && sendInitial is not true)
            store.CheckWatchable(at.Resource, from);
        var length = double.TryParse(query["timeoutSeconds"], out var seconds) && seconds > 0 ? TimeSpan.FromSeconds(Math.Min(seconds, LongestLength.TotalSeconds)) : DefaultLength;

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping, http.RequestAborted);
        // A write is broken off only together with its connection: a watch whose time is over still ends in good order.
        _ended = ended.Token;
        using var timer = new CancellationTokenSource(length, view.Time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ended.Token, timer.Token);
        http.Response.StatusCode = 200;
        http.Response.ContentType = Answers.JsonType;
        Answers.Unbuffer(http);
        await http.Response.StartAsync(ended.Token);
        await Flush();
        try
        {
            _cursor = from;
            if (sendInitial is true || (!begins && sendInitial is not false))
                await SendWhatIsThere(sendInitial is true, over.Token);
            else if (!begins)
                _cursor = store.Revision;
            _sentInitial = true;
            await Follow(over.Token);
        }
        catch (OperationCanceledException) when (timer.IsCancellationRequested && !ended.IsCancellationRequested)
        {
            // A client that gets a last bookmark resumes from now rather than from its last object.
            if (_bookmarks && _sentInitial)
                await SendBookmark(initialEnd: false);
            else
                await Flush();
        }
        catch (OperationCanceledException)
        {
            // The client hung up, or the server stops: that is how watches end.
        }
        catch (KubernetesError e)
        {
            Write("ERROR"u8, Json.Utf8(e.Status));
            await Flush();
        }
    }

    private async Task SendWhatIsThere(bool sayWhenDone, CancellationToken over)
    {
        var (objects, revision) = store.List(at.Resource, at.Namespace);
        foreach (var stored in objects)
        {
            if (_selector.Matches(stored))
                await Send("ADDED", stored, over);
        }
        _cursor = revision;
        if (sayWhenDone && _bookmarks)
            await SendBookmark(initialEnd: true);
        await Flush();
    }

    private async Task Follow(CancellationToken over)
    {
        while (true)
        {
            var next = await SendNews(over);
            try
            {
                await next.WaitAsync(BookmarkEvery, view.Time, over);
            }
            catch (TimeoutException)
            {
                // The revision has moved on by what does not concern this watch; a bookmark lets its client follow.
                await SendNews(over);
                if (_bookmarks)
                    await SendBookmark(initialEnd: false);
            }
        }
    }

    // A method of its own, so that a watcher which waits holds on to no changes.
    private async Task<Task> SendNews(CancellationToken over)
    {
        var news = store.Since(at.Resource, _cursor, _selector.Trigger);
        for (var i = news.Changes.From; i < news.Changes.To; i++)
        {
            var change = news.Changes.Changes[i];
            _cursor = change.Revision;
            await Send(change, over);
        }
        _cursor = news.UpTo;
        await Flush();
        return news.Next;
    }

    /// <summary>A change as this watch sees it: an object that enters the selection is added, one that leaves it deleted.</summary>
    private ValueTask Send(Change change, CancellationToken over)
    {
        var before = change.Before is { } old && Sees(old);
        var after = change.After is { } @new && Sees(@new);
        return (before, after) switch
        {
            (false, false) => ValueTask.CompletedTask,
            (false, true) => Send("ADDED", change.After!, over),
            (true, false) => Send("DELETED", change.Gone, over),
            (true, true) => Send("MODIFIED", change.After!, over),
        };
    }

    private bool Sees(Stored stored) => (at.Namespace is null or "" || stored.Namespace == at.Namespace) && _selector.Matches(stored);

    private async ValueTask Send(string type, Stored stored, CancellationToken over)
    {
        var to = http.Response.BodyWriter;
        to.Write("{\"type\":\""u8);
        Encoding.UTF8.GetBytes(type, (IBufferWriter<byte>)to);
        to.Write("\",\"object\":"u8);
        view.Watched(to, stored, first: !_sentAny);
        to.Write("}\n"u8);
        _sentAny = true;
        _unflushed += stored.Utf8.Length;
        if (_unflushed < FlushFrom)
            return;
        await Flush();
        over.ThrowIfCancellationRequested();
    }

    private async Task SendBookmark(bool initialEnd)
    {
        Write("BOOKMARK"u8, Bookmark(initialEnd));
        await Flush();
    }

    private void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> shown)
    {
        var to = http.Response.BodyWriter;
        to.Write("{\"type\":\""u8);
        to.Write(type);
        to.Write("\",\"object\":"u8);
        to.Write(shown);
        to.Write("}\n"u8);
    }

    private async Task Flush()
    {
        _unflushed = 0;
        await http.Response.BodyWriter.FlushAsync(_ended);
    }

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
        var empty = new JsonObject { ["kind"] = at.Resource.Kind, ["apiVersion"] = at.Resource.ApiVersion, ["metadata"] = metadata };
        // What Go writes of an object that has nothing in it.
        if (ReferenceEquals(at.Resource, Resources.Pods))
            empty["spec"] = new JsonObject { ["containers"] = null };
        if (at.Resource.HasStatus && view.As.Length == 0)
        {
            empty.SetIfMissing("spec", new JsonObject());
            empty["status"] = new JsonObject();
        }
        return Json.Utf8(empty);
    }
}
