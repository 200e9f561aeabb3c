using System.Text;
using System.Text.Json;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>The nodes kube-scheduler offers: by name (<c>nodeCacheCapable: true</c>), or whole, and then they go back as they came.</summary>
internal sealed class NodeOffer
{
    private readonly ReadOnlyMemory<byte> _body;
    private readonly List<Range>? _objects;

    private NodeOffer(ReadOnlyMemory<byte> body, List<Range>? objects, int capacity = 0)
    {
        _body = body;
        _objects = objects;
        Names = new(capacity);
        Registered = new(capacity);
    }

    /// <summary>All names, in the order offered.</summary>
    public List<string> Names { get; }

    /// <summary>The nodes of them that have registered cards.</summary>
    public List<NodeUse> Registered { get; }

    /// <summary>True when whole nodes were given.</summary>
    public bool IsWhole => _objects is not null;

    /// <summary>Looks one node up again.</summary>
    public void Renew(string name, ClusterView view)
    {
        for (var i = 0; i < Registered.Count; i++)
        {
            if (Registered[i].Name != name)
                continue;
            if (view.Node(name) is { } node)
                Registered[i] = node;
            else
                Registered.RemoveAt(i);
            return;
        }
    }

    /// <summary>Reads an array of names.</summary>
    public static NodeOffer ReadNames(ref Utf8JsonReader reader, ClusterView view)
    {
        var before = view.OfferedBefore;
        var offer = new NodeOffer(default, null, before.Length);
        if (reader.TokenType is not JsonTokenType.StartArray)
            throw new JsonException("NodeNames is not an array of names");
        Span<char> characters = stackalloc char[256];
        var expected = 0;
        var known = new List<KnownNode>(before.Length);
        while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray)
        {
            if (reader.TokenType is not JsonTokenType.String)
                throw new JsonException("NodeNames holds something that is not a name");
            // Thousands of names that we know, mostly in the order of the last time: none becomes a string, few are looked up.
            var node = expected < before.Length && !reader.ValueIsEscaped && reader.ValueSpan.SequenceEqual(before[expected].Utf8) && !before[expected].IsForgotten ? before[expected]
                : reader.ValueIsEscaped || !Encoding.UTF8.TryGetChars(reader.ValueSpan, characters, out var length) ? null
                : view.Known(characters[..length]);
            if (node is null)
            {
                offer.Add(reader.GetString()!, view);
                continue;
            }
            expected = (node == (expected < before.Length ? before[expected] : null) ? expected : node.OfferedAt) + 1;
            node.OfferedAt = known.Count;
            known.Add(node);
            offer.Names.Add(node.Name);
            if (view.Use(node) is { } use)
                offer.Registered.Add(use);
        }
        if (known.Count > 0 && !known.SequenceEqual(before))
            view.OfferedBefore = [.. known];
        return offer;
    }

    /// <summary>Reads a node list; of each node the name, and where it stands in the body.</summary>
    public static NodeOffer ReadObjects(ref Utf8JsonReader reader, ReadOnlyMemory<byte> body, ClusterView view)
    {
        var offer = new NodeOffer(body, []);
        JsonMembers.Each(ref reader, "Nodes", (ref Utf8JsonReader list, string member) =>
        {
            if (!member.Equals("items", StringComparison.OrdinalIgnoreCase) || list.TokenType is JsonTokenType.Null)
            {
                list.Skip();
                return;
            }
            if (list.TokenType is not JsonTokenType.StartArray)
                throw new JsonException("Nodes.items is not an array");
            while (list.Read() && list.TokenType is not JsonTokenType.EndArray)
            {
                var start = (int)list.TokenStartIndex;
                var name = ReadName(ref list);
                offer._objects!.Add(start..(int)list.BytesConsumed);
                offer.Add(name, view);
            }
        });
        return offer;
    }

    /// <summary>The whole node, as it came.</summary>
    public ReadOnlySpan<byte> Object(int at) => _body.Span[_objects![at]];

    /// <summary>The annotations of a whole node.</summary>
    public Dictionary<string, string> Annotations(int at)
    {
        using var node = JsonDocument.Parse(_body[_objects![at]]);
        return node.RootElement.TryGetProperty("metadata", out var metadata) && metadata.ValueKind is JsonValueKind.Object && metadata.TryGetProperty("annotations", out var annotations)
            && annotations.ValueKind is JsonValueKind.Object
            ? annotations.EnumerateObject().Where(a => a.Value.ValueKind is JsonValueKind.String).GroupBy(a => a.Name, StringComparer.Ordinal)
                .ToDictionary(a => a.Key, a => a.Last().Value.GetString()!, StringComparer.Ordinal)
            : [];
    }

    private static string ReadName(ref Utf8JsonReader reader)
    {
        var name = "";
        JsonMembers.Each(ref reader, "Nodes.items", (ref Utf8JsonReader node, string member) =>
        {
            if (member != "metadata" || node.TokenType is not JsonTokenType.StartObject)
            {
                node.Skip();
                return;
            }
            JsonMembers.Each(ref node, "metadata", (ref Utf8JsonReader metadata, string key) =>
            {
                if (key == "name" && metadata.TokenType is JsonTokenType.String)
                    name = metadata.GetString()!;
                else
                    metadata.Skip();
            });
        });
        return name;
    }

    private void Add(string name, ClusterView view)
    {
        Names.Add(name);
        if (view.Node(name) is { } node)
            Registered.Add(node);
    }
}
