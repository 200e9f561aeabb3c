using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>How a client wants objects shown: whole, as table rows, or their metadata only (the <c>as=</c> of its Accept header).</summary>
internal sealed record View(Resource Version, string As, string Include, TimeProvider Time)
{
    public static View Of(HttpContext http, Resource version, TimeProvider time)
    {
        var accept = http.Request.Headers.Accept.ToString();
        var form = accept.Split(',')[0] is var first && first.Contains("as=Table", StringComparison.Ordinal) ? "Table"
            : first.Contains("as=PartialObjectMetadata", StringComparison.Ordinal) ? "Partial"
            : "";
        return new(version, form, http.Request.Query["includeObject"].ToString(), time);
    }

    public ReadOnlyMemory<byte> One(Stored stored) => As switch
    {
        "Table" => Json.Utf8(Version.Table.Of([stored], Version, Revision(stored.Revision), Include, Time.GetUtcNow())),
        "Partial" => Json.Utf8(Table.Partial(stored)),
        _ => stored.Utf8As(Version),
    };

    /// <summary>One object of a watch; only the first table names its columns.</summary>
    public ReadOnlyMemory<byte> Watched(Stored stored, bool first) => As is "Table"
        ? Json.Utf8(Version.Table.Of([stored], Version, Revision(stored.Revision), Include, Time.GetUtcNow(), withColumns: first))
        : One(stored);

    public byte[] Many(IReadOnlyCollection<Stored> objects, JsonObject metadata)
    {
        if (As is "Table")
            return Json.Utf8(Version.Table.Of(objects, Version, metadata, Include, Time.GetUtcNow()));
        var partial = As is "Partial";
        using var list = new MemoryStream();
        list.Write(Encoding.UTF8.GetBytes(partial
            ? "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":"
            : $"{{\"kind\":\"{Version.Kind}List\",\"apiVersion\":\"{Version.ApiVersion}\",\"metadata\":"));
        list.Write(Json.Utf8(metadata));
        list.Write(",\"items\":["u8);
        var first = true;
        foreach (var stored in objects)
        {
            if (!first)
                list.WriteByte((byte)',');
            first = false;
            list.Write(partial ? Json.Utf8(Table.Partial(stored)) : Version.StoredAs is null ? stored.Utf8.Span : stored.Utf8As(Version).Span);
        }
        list.Write("]}"u8);
        return list.ToArray();
    }

    public static JsonObject Revision(long revision) => new() { ["resourceVersion"] = revision.ToString() };
}
