using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Marten;

namespace Hami.Api.Replaying;

/// <summary>Reads events as they are stored, by the names and the serializer of the event store.</summary>
internal sealed class StoredEvents
{
    // A store that never connects: only its serializer is asked. It takes a while to make.
    private static readonly Lazy<ISerializer> OfTheStore = new(() => DocumentStore.For(options => MartenSetup.Configure(options, "Host=nowhere")).Options.Serializer());

    private readonly EventTypes _types;

    public StoredEvents() : this(EventTypes.Today)
    {
    }

    internal StoredEvents(EventTypes types) => _types = types;

    /// <summary>Reads the event of a row.</summary>
    /// <exception cref="FormatException">No event of ours is stored so.</exception>
    public Recorded Read(LogRow row)
    {
        try
        {
            return new(row.Position, row.At, row.Stream, _types.Read(row.Type, row.Body, OfTheStore.Value));
        }
        catch (FormatException e)
        {
            throw new UnreadableEventException(row.Position, e.Message, e);
        }
    }
}
