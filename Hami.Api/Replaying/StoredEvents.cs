using System.Text;
using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Marten;

namespace Hami.Api.Replaying;

/// <summary>Reads events as they are stored, by the names and the serializer of the event store.</summary>
internal sealed class StoredEvents
{
    // Never connects: only its names and its serializer are asked.
    private readonly DocumentStore _store = DocumentStore.For(options => MartenSetup.Configure(options, "Host=nowhere"));
    private readonly Dictionary<string, Type> _types;

    public StoredEvents() => _types = ((IDocumentStore)_store).Options.Events.AllKnownEventTypes()
        .Where(t => t.EventType.Assembly == typeof(NodeEvent).Assembly)
        .ToDictionary(t => t.EventTypeName, t => t.EventType, StringComparer.Ordinal);

    public ISerializer Serializer => _store.Options.Serializer();

    /// <summary>Reads the event of a row.</summary>
    /// <exception cref="FormatException">No event of ours is stored so.</exception>
    public Recorded Read(LogRow row)
    {
        if (!_types.TryGetValue(row.Type, out var type))
            throw new FormatException($"no event is stored under the name {row.Type}");
        try
        {
            using var body = new MemoryStream(Encoding.UTF8.GetBytes(row.Body));
            return new(row.Position, row.At, row.Stream, Serializer.FromJson(type, body));
        }
        catch (JsonException e)
        {
            throw new FormatException($"its body is no {row.Type}: {e.Message}", e);
        }
    }
}
