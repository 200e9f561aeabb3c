using System.Collections.Immutable;

namespace Hami.NodeAgent.Registering.Health;

/// <summary>What speaks against the node's cards, and since when; times since the agent's start.</summary>
/// <remarks>
/// A card that had a critical error is ill until its driver was loaded anew or it was reset (it was away and is back), or until it has answered
/// for a while without another. The while is doubled with every relapse within a day: a card that is broken is soon out for hours, one that
/// was not is back without anybody's doing. HAMi's cards stay ill until the plugin is started again.
/// </remarks>
/// <param name="DriverFailures">Looks in a row at which the driver did not answer.</param>
/// <param name="DriverWasAway">It is known that no driver was loaded since it last answered.</param>
internal sealed record NodeHealth(int DriverFailures, bool DriverWasAway, string? DriverReason, ImmutableDictionary<string, CardHealth> Cards)
{
    private static readonly TimeSpan Relapsing = TimeSpan.FromDays(1);

    public static readonly NodeHealth New = new(0, DriverWasAway: false, null, ImmutableDictionary<string, CardHealth>.Empty);

    /// <summary>The driver answered, for these cards and not for those.</summary>
    /// <param name="mute">Why, by UUID.</param>
    public NodeHealth Answered(IEnumerable<string> answering, IReadOnlyDictionary<string, string> mute)
    {
        var cards = Cards.ToBuilder();
        var here = answering.ToHashSet(StringComparer.Ordinal);
        foreach (var uuid in here.Union(cards.Keys, StringComparer.Ordinal).ToList())
        {
            var card = cards.GetValueOrDefault(uuid, CardHealth.Fine);
            cards[uuid] = !here.Contains(uuid)
                ? card with { Mute = mute.GetValueOrDefault(uuid, "NVML does not list it any more") }
                // What was away and answers again has been reset.
                : card.Mute is not null || DriverWasAway ? CardHealth.Fine with { Unwatched = card.Unwatched } : card;
        }
        return new(0, DriverWasAway: false, null, cards.ToImmutable());
    }

    /// <summary>The driver did not answer at all.</summary>
    /// <param name="noDriver">It said that there is none; else it must say no twice in a row to count as away.</param>
    public NodeHealth Silent(string reason, bool noDriver) => this with
    {
        DriverFailures = DriverFailures + 1,
        DriverReason = reason,
        DriverWasAway = DriverWasAway || noDriver || DriverFailures > 0,
    };

    public NodeHealth Told(HealthNews news, TimeSpan at, TimeSpan quiet) => news switch
    {
        HealthNews.Xid e => With(e.Uuid, card => card with { Error = Marked(card.Error, e.Number, at, quiet) }),
        HealthNews.Watched e => With(e.Uuid, card => card with { Unwatched = null }),
        HealthNews.Unwatched e => With(e.Uuid, card => card with { Unwatched = e.Reason }),
        HealthNews.Doubt => this,
        _ => throw new ArgumentOutOfRangeException(nameof(news), news, "Not known."),
    };

    /// <summary>What speaks against a card, in words; null when nothing does.</summary>
    /// <param name="quiet">How long a card must have been without an error; zero when no time heals it.</param>
    public string? Against(string uuid, TimeSpan at, TimeSpan quiet)
    {
        if (DriverReason is { } gone)
            return $"NVML does not answer: {gone}";
        var card = Cards.GetValueOrDefault(uuid, CardHealth.Fine);
        return card.Mute ?? (card.Error is { } error && !error.IsOver(at, quiet) ? $"XID {error.Number}" : null)
            ?? (card.Unwatched is { } why ? $"its errors cannot be watched: {why}" : null);
    }

    private static CardError Marked(CardError? before, int number, TimeSpan at, TimeSpan quiet) =>
        before is null || at - before.At > Relapsing ? new(number, at, 1)
        : new(number, at, before.IsOver(at, quiet) ? before.Times + 1 : before.Times);

    private NodeHealth With(string uuid, Func<CardHealth, CardHealth> change) =>
        // Events of a card that is none of ours are nobody's.
        Cards.TryGetValue(uuid, out var card) ? this with { Cards = Cards.SetItem(uuid, change(card)) } : this;
}

/// <summary>What speaks against one card; null where nothing does.</summary>
/// <param name="Mute">Why it does not answer.</param>
/// <param name="Unwatched">Why its errors cannot be watched.</param>
internal sealed record CardHealth(string? Mute, string? Unwatched, CardError? Error)
{
    public static readonly CardHealth Fine = new(null, null, null);
}

/// <summary>A card's last critical error.</summary>
/// <param name="Times">How often within a day it fell ill.</param>
internal sealed record CardError(int Number, TimeSpan At, int Times)
{
    public bool IsOver(TimeSpan at, TimeSpan quiet) => quiet > TimeSpan.Zero && at - At >= quiet * Math.Pow(2, Math.Min(Times - 1, 6));
}
