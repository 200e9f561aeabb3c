using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>How a client wants objects shown: whole, as table rows, or their metadata only (the <c>as=</c> of its Accept header).</summary>
internal sealed record View(Resource Version, string As, string Include, TimeProvider Time)
{
    private static readonly ConcurrentDictionary<(string ApiVersion, string Kind), byte[]> Heads = new();

    private bool IsAsStored => As.Length == 0 && Version.StoredAs is null;

    /// <summary>Throws 406 when the client takes nothing the server could give.</summary>
    public static View Of(HttpContext http, Resource version, TimeProvider time, bool watch = false) =>
        new(version, Accept.Of(http, watch).As, http.Request.Query["includeObject"].ToString(), time);

    /// <summary>Answers with one object.</summary>
    public Task Answer(HttpContext http, int code, Stored stored) => IsAsStored
        ? Answers.Write(http, code, HeadOf(Version), stored.Utf8[1..])
        : Answers.Write(http, code, One(stored));

    private ReadOnlyMemory<byte> One(Stored stored) => As switch
    {
        "Table" => Json.Utf8(Version.Table.Of([stored], Version, Revision(stored.Revision), Include, Time.GetUtcNow())),
        "Partial" => Json.Utf8(Table.Partial(stored)),
        _ => Json.Utf8(stored.Typed(Version)),
    };

    /// <summary>Writes one object of a watch; only the first table names its columns.</summary>
    /// <remarks>Whole objects are copied as they lie in the store: however many watchers there are, nobody encodes them.</remarks>
    public void Watched(IBufferWriter<byte> to, Stored stored, bool first)
    {
        if (As is "Table")
        {
            to.Write(Json.Utf8(Version.Table.Of([stored], Version, Revision(stored.Revision), Include, Time.GetUtcNow(), withColumns: first)));
        }
        else if (IsAsStored)
        {
            to.Write(HeadOf(Version));
            to.Write(stored.Utf8.Span[1..]);
        }
        else
        {
            to.Write(One(stored).Span);
        }
    }

    public Task Many(HttpContext http, IReadOnlyCollection<Stored> objects, JsonObject metadata)
    {
        if (As is "Table")
            return Answers.Write(http, 200, Version.Table.Of(objects, Version, metadata, Include, Time.GetUtcNow()));
        var items = objects.Select(o => As is "Partial" ? Json.Utf8(Table.Partial(o)) : Version.StoredAs is null ? o.Utf8 : Json.Utf8(o.Typed(Version)));
        var pieces = Pieces(items, metadata);
        var length = objects.Sum(o => (long)o.Utf8.Length);
        if (length > 64 * 1024 && Accept.Of(http) is { Yaml: false })
            return Answers.Write(http, 200, length, pieces);
        var whole = new ArrayBufferWriter<byte>();
        foreach (var piece in pieces)
            whole.Write(piece.Span);
        return Answers.Write(http, 200, whole.WrittenMemory);
    }

    public static JsonObject Revision(long revision) => new() { ["resourceVersion"] = revision.ToString() };

    private static byte[] HeadOf(Resource version) => Heads.GetOrAdd((version.ApiVersion, version.Kind), static (_, of) => Stored.Head(of), version);

    private IEnumerable<ReadOnlyMemory<byte>> Pieces(IEnumerable<ReadOnlyMemory<byte>> items, JsonObject metadata)
    {
        yield return Encoding.UTF8.GetBytes(As is "Partial"
            ? "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":"
            : $"{{\"kind\":\"{Version.Kind}List\",\"apiVersion\":\"{Version.ApiVersion}\",\"metadata\":");
        yield return Json.Utf8(metadata);
        yield return ",\"items\":["u8.ToArray();
        ReadOnlyMemory<byte> comma = ","u8.ToArray();
        var first = true;
        foreach (var item in items)
        {
            if (!first)
                yield return comma;
            first = false;
            yield return item;
        }
        yield return "]}"u8.ToArray();
    }
}
