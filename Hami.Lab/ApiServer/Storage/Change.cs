namespace Hami.Lab.ApiServer;

/// <summary>One committed write: what was there before, what is there after; one of them may be missing.</summary>
internal sealed class Change(long revision, Stored? before, Stored? after)
{
    private Stored? _gone;

    public long Revision { get; } = revision;

    public Stored? Before { get; } = before;

    public Stored? After { get; } = after;

    /// <summary>The version before, under this change's revision: how a watcher hears of an object it sees no more.</summary>
    /// <remarks>Made at most a few times and then shared by all watchers.</remarks>
    public Stored Gone => _gone ??= Before!.At(Revision);
}
