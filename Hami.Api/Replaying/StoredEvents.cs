using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Marten;

namespace Hami.Api.Replaying;

/// <summary>Reads events as they are stored, by the names and the serializer of the event store.</summary>
internal sealed class StoredEvents
{
    private readonly EventTypes _types;

    // Never connects: only its serializer is asked.
    private readonly DocumentStore _store;

    public StoredEvents() : this(EventTypes.Today)
    {
    }

    internal StoredEvents(EventTypes types)
    {
        _types = types;
        _store = DocumentStore.For(options => MartenSetup.Configure(options, "Host=nowhere", types));
    }

    public ISerializer Serializer => _store.Options.Serializer();

    /// <summary>Reads the event of a row.</summary>
    /// <exception cref="FormatException">No event of ours is stored so.</exception>
    public Recorded Read(LogRow row)
    {
        try
        {
            return new(row.Position, row.At, row.Stream, _types.Read(row.Type, row.Body, Serializer));
        }
        catch (FormatException e)
        {
            throw new UnreadableEventException(row.Position, e.Message, e);
        }
    }
}
