using System.Threading.Channels;

namespace Hami.Api.Plumbing.Telling;

/// <summary>The pod that a Kubernetes event is about.</summary>
internal sealed record PodReference(string Namespace, string Name, string Uid, string ResourceVersion = "");

/// <summary>Kubernetes' two types of events.</summary>
internal enum PodEventType
{
    Normal,
    Warning,
}

/// <summary>What <c>kubectl describe pod</c> is to show.</summary>
internal sealed record PodEventText(string Reason, PodEventType Type, string Message);

/// <summary>Takes what is to be said about pods; it never waits, and what nobody comes to send is dropped, the oldest first.</summary>
internal sealed class PodEvents
{
    // A closure may hold the names of thousands of nodes, a text at most a kilobyte: few of the former wait, and not for long.
    private const int MostUnworded = 64;
    private const int MostWorded = 10_000;

    private readonly Channel<(PodReference Pod, Func<IEnumerable<PodEventText>> Texts)> _unworded;
    private readonly Channel<(PodReference Pod, PodEventText Text)> _worded;
    private long _dropped;

    public PodEvents()
    {
        _unworded = Channel.CreateBounded<(PodReference, Func<IEnumerable<PodEventText>>)>(
            new BoundedChannelOptions(MostUnworded) { FullMode = BoundedChannelFullMode.DropOldest }, _ => Interlocked.Increment(ref _dropped));
        _worded = Channel.CreateBounded<(PodReference, PodEventText)>(
            new BoundedChannelOptions(MostWorded) { FullMode = BoundedChannelFullMode.DropOldest }, _ => Interlocked.Increment(ref _dropped));
    }

    /// <summary>How many were given up since the start: too many at once, or too many about one pod.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Says one thing about a pod.</summary>
    public void Tell(PodReference pod, string reason, PodEventType type, string message) => Tell(pod, new PodEventText(reason, type, message));

    /// <inheritdoc cref="Tell(PodReference, string, PodEventType, string)"/>
    public void Tell(PodReference pod, PodEventText text) => _worded.Writer.TryWrite((pod, text));

    /// <summary>Says what is put into words later, on another thread: for texts that name many nodes.</summary>
    /// <param name="texts">Called at most once; it must not read what may have changed by then.</param>
    public void Tell(PodReference pod, Func<IEnumerable<PodEventText>> texts) => _unworded.Writer.TryWrite((pod, texts));

    internal ChannelReader<(PodReference Pod, Func<IEnumerable<PodEventText>> Texts)> Unworded => _unworded.Reader;

    internal ChannelReader<(PodReference Pod, PodEventText Text)> Worded => _worded.Reader;

    internal void CountDropped() => Interlocked.Increment(ref _dropped);
}
