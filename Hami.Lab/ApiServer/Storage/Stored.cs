using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>One version of one object. The body is never changed once it is here, and carries no kind and apiVersion: the answer adds those.</summary>
internal sealed class Stored(Resource resource, long revision, JsonObject body)
{
    private byte[]? _utf8;

    public Resource Resource { get; } = resource;

    public long Revision { get; } = revision;

    public JsonObject Body { get; } = body;

    public string Name => Body.TextAt("metadata", "name") ?? "";

    public string Namespace => Body.TextAt("metadata", "namespace") ?? "";

    public string Uid => Body.TextAt("metadata", "uid") ?? "";

    public string Key => KeyOf(Namespace, Name);

    /// <summary>The body as JSON; lists of a real server leave kind and apiVersion out of their items too.</summary>
    public ReadOnlyMemory<byte> Utf8 => _utf8 ??= Json.Utf8(Body);

    public static string KeyOf(string? @namespace, string name) => $"{@namespace}/{name}";

    /// <summary>The whole object as a client of this version sees it.</summary>
    public ReadOnlyMemory<byte> Utf8As(Resource version)
    {
        if (version != Resource)
            return Json.Utf8(Typed(version));
        var head = Encoding.UTF8.GetBytes($"{{\"kind\":\"{version.Kind}\",\"apiVersion\":\"{version.ApiVersion}\"{(Body.Count > 0 ? "," : "")}");
        return (byte[])[.. head, .. Utf8.Span[1..]];
    }

    /// <summary>A copy of the object with kind and apiVersion of this version.</summary>
    public JsonObject Typed(Resource version)
    {
        var shown = EventVersions.FromStorage(Json.Copy(Body), version);
        var typed = new JsonObject { ["kind"] = version.Kind, ["apiVersion"] = version.ApiVersion };
        foreach (var (name, value) in shown.ToArray())
        {
            shown.Remove(name);
            typed[name] = value;
        }
        return typed;
    }

    /// <summary>The same object as the last word of a watch on it: its content, and the revision that removed it.</summary>
    public Stored At(long revision)
    {
        var last = Json.Copy(Body);
        last.Child("metadata")["resourceVersion"] = revision.ToString();
        return new(Resource, revision, (JsonObject)Json.Settle(last)!);
    }
}
