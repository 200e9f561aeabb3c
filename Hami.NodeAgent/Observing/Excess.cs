using System.Collections.Immutable;

namespace Hami.NodeAgent.Observing;

/// <summary>A container's part of a card.</summary>
internal readonly record struct ShareName(string PodUid, string Container, string DeviceUuid)
{
    public static ShareName Of(ShareReading share) => new(share.PodUid, share.Container, share.DeviceUuid);
}

/// <summary>A container that holds more of a card than it was given.</summary>
/// <param name="OverSince">Since when without a pause; null while it is within its limit.</param>
/// <param name="WithinSince">Since when it is back.</param>
/// <param name="Told">It was for so long that it was said.</param>
internal sealed record Excess(DateTimeOffset? OverSince, DateTimeOffset? WithinSince, bool Told);

/// <summary>What is to be done about a container that holds more than it was given.</summary>
/// <param name="IsNew">It is to be said, which is done once.</param>
internal sealed record ExcessFound(ShareReading Share, bool IsNew);

/// <summary>Finds containers that hold more than their limit for a while by the driver's own count, whatever their regions say. Pure.</summary>
internal static class ExcessWatch
{
    /// <summary>Longer than a container needs that gives back before it takes.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <returns>What is now known of whom, and who is over now: again each time that another <see cref="Patience"/> has passed.</returns>
    public static (ImmutableDictionary<ShareName, Excess> Known, ImmutableArray<ExcessFound> Found) Next(ImmutableDictionary<ShareName, Excess> known, NodeMoment moment)
    {
        var next = ImmutableDictionary.CreateBuilder<ShareName, Excess>();
        var found = ImmutableArray.CreateBuilder<ExcessFound>();
        foreach (var share in moment.Shares)
        {
            var name = ShareName.Of(share);
            var before = known.GetValueOrDefault(name);
            if (share is { DriverBytes: { } bytes, LimitBytes: > 0 } && bytes > share.LimitBytes)
                next[name] = Over(share, before, moment.At, found);
            else if (before is not null && Within(before, share.DriverBytes is not null, moment.At) is { } remembered)
                next[name] = remembered;
        }
        return (next.ToImmutable(), found.DrainToImmutable());
    }

    private static Excess Over(ShareReading share, Excess? before, DateTimeOffset now, ImmutableArray<ExcessFound>.Builder found)
    {
        var since = before?.OverSince ?? now;
        var told = before is { Told: true };
        if (now - since < Patience)
            return new(since, null, told);
        found.Add(new(share, !told));
        return new(now, null, Told: true);
    }

    // Around the limit to and fro is said once; what was not said is forgotten at once.
    private static Excess? Within(Excess before, bool isKnown, DateTimeOffset now)
    {
        if (!before.Told)
            return null;
        if (!isKnown)
            return before with { OverSince = null, WithinSince = null };
        var since = before.WithinSince ?? now;
        return now - since < Patience ? new(null, since, Told: true) : null;
    }
}
