using System.Collections.Immutable;
using System.Threading.Channels;

namespace Hami.NodeAgent.Registering.Health;

/// <summary>What the driver told of a card's health.</summary>
internal abstract record HealthNews
{
    /// <summary>A critical error of a card, by its XID number; of the card's instances where they are not <see cref="uint.MaxValue"/>.</summary>
    public sealed record Xid(string Uuid, int Number, uint GpuInstance, uint ComputeInstance) : HealthNews;

    /// <summary>The card's errors are told from now on, or it has none to tell.</summary>
    public sealed record Watched(string Uuid) : HealthNews;

    /// <summary>The card's errors would not be told.</summary>
    public sealed record Unwatched(string Uuid, string Reason) : HealthNews;

    /// <summary>Something is amiss; which card it is must be looked for.</summary>
    public sealed record Doubt(string Reason) : HealthNews;

    private HealthNews()
    {
    }
}

/// <summary>Between the thread that waits for the driver's events and whoever acts on them.</summary>
internal sealed class HealthInbox
{
    private readonly Channel<HealthNews> news = Channel.CreateUnbounded<HealthNews>(new() { SingleReader = true });
    private ImmutableArray<string>[] cards = [[]];

    /// <summary>An error that counts, of a card or of an instance of it.</summary>
    public event Action<HealthNews.Xid>? Failed;

    public ChannelReader<HealthNews> News => news.Reader;

    /// <summary>The UUIDs of the cards whose events are wanted.</summary>
    public ImmutableArray<string> Cards
    {
        get => Volatile.Read(ref cards)[0];
        set
        {
            if (!Cards.SequenceEqual(value))
                Volatile.Write(ref cards, [value]);
        }
    }

    public void Tell(HealthNews happened)
    {
        news.Writer.TryWrite(happened);
        if (happened is HealthNews.Xid xid)
            Failed?.Invoke(xid);
    }
}
