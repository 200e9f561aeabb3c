using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One version of one object, as UTF-8. It carries no kind and apiVersion: the answer adds those.</summary>
internal sealed class Stored(Resource resource, long revision, byte[] utf8, Facts facts, DateTimeOffset writtenAt = default)
{
    // A tree is some fifteen times as large as its text: kept until the collector comes by.
    private WeakReference<JsonObject>? _tree;

    public Resource Resource { get; } = resource;

    public long Revision { get; } = revision;

    public Facts Facts { get; } = facts;

    /// <summary>When this version was written; for one read from the log, when that was.</summary>
    public DateTimeOffset WrittenAt { get; } = writtenAt;

    public string Name => Facts.Name;

    public string Namespace => Facts.Namespace;

    public string Uid => Facts.Uid;

    public string Key { get; } = KeyOf(facts.Namespace, facts.Name);

    /// <summary>The body as JSON; lists of a real server leave kind and apiVersion out of their items too.</summary>
    public ReadOnlyMemory<byte> Utf8 { get; } = utf8;

    /// <summary>The body as a tree that others read as well and nobody may change.</summary>
    public JsonObject Body
    {
        get
        {
            if (_tree?.TryGetTarget(out var tree) is true)
                return tree;
            tree = (JsonObject)Json.Parse(Utf8.Span)!;
            _tree = new(tree);
            return tree;
        }
    }

    public static string KeyOf(string? @namespace, string name) => $"{@namespace}/{name}";

    /// <summary>The beginning of the whole object in its stored version; the body follows without its brace.</summary>
    public static byte[] Head(Resource version) =>
        Encoding.UTF8.GetBytes($"{{\"kind\":\"{version.Kind}\",\"apiVersion\":\"{version.ApiVersion}\",");

    /// <summary>A copy of the object with kind and apiVersion of this version.</summary>
    public JsonObject Typed(Resource version) => Typed(EventVersions.FromStorage(Json.Copy(Body), version), version);

    /// <summary>The same with metadata and status alone.</summary>
    public JsonObject TypedStatus(Resource version)
    {
        var shown = new JsonObject();
        foreach (var name in (string[])["metadata", "status"])
            shown.Put(name, Body[name]);
        return Typed(shown, version);
    }

    private static JsonObject Typed(JsonObject shown, Resource version)
    {
        shown.Insert(0, "kind", version.Kind);
        shown.Insert(1, "apiVersion", version.ApiVersion);
        return shown;
    }

    /// <summary>The same object under another revision; only that number differs in its text.</summary>
    public Stored At(long revision)
    {
        // The store writes metadata first, and before resourceVersion only texts without a bare quote in them.
        var mark = "\"resourceVersion\":\""u8;
        var from = Utf8.Span.IndexOf(mark) + mark.Length;
        var to = from + Utf8.Span[from..].IndexOf((byte)'"');
        byte[] changed = [.. Utf8.Span[..from], .. Encoding.UTF8.GetBytes(revision.ToString()), .. Utf8.Span[to..]];
        return new(Resource, revision, changed, Facts, WrittenAt);
    }

    /// <summary>The same, where its body is there as a tree that nobody else has: who writes next often does so soon, and need not read it anew.</summary>
    public Stored At(long revision, JsonObject tree)
    {
        var stored = At(revision);
        tree["metadata"]!["resourceVersion"] = revision.ToString();
        stored._tree = new(tree);
        return stored;
    }
}
