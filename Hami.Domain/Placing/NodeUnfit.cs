using System.Collections.Immutable;
using System.Text;

namespace Hami.Domain.Placing;

/// <summary>Why a node cannot take a pod.</summary>
public readonly record struct NodeUnfit(string Node, UnfitReasons Reasons);

/// <summary>Cards per reason; nodes that refuse alike share one.</summary>
/// <param name="Cards">How many cards the node has.</param>
/// <param name="Counts">Cards per reason, in the order of the reason words.</param>
public sealed record UnfitReasons(int Cards, ImmutableArray<(CardRefusal Reason, int Cards)> Counts)
{
    private string? _text;

    /// <summary>
    /// HAMi's reason words, which dashboards search for, then the same for people:
    /// <c>1/8 AllocatedCardsInsufficientRequest, 7/8 CardUuidMismatch (1 of 8 cards: usable, but more are needed; 7 of 8 cards: …)</c>.
    /// </summary>
    public string Text => _text ??= Write();

    public static UnfitReasons From(int cards, ReadOnlySpan<int> refusals)
    {
        var counts = new List<(CardRefusal, int)>();
        for (var i = 0; i < refusals.Length; i++)
        {
            if (refusals[i] > 0 || (CardRefusal)i is CardRefusal.NodeInsufficientDevice && cards == 0)
                counts.Add(((CardRefusal)i, refusals[i]));
        }
        counts.Sort((a, b) => string.CompareOrdinal(a.Item1.ToString(), b.Item1.ToString()));
        return new(cards, [.. counts]);
    }

    private string Write()
    {
        if (Counts is [(CardRefusal.NodeInsufficientDevice, _)])
            return $"{CardRefusal.NodeInsufficientDevice} ({CardRefusal.NodeInsufficientDevice.Words()}: {Cards})";
        var words = new StringBuilder();
        var people = new StringBuilder();
        foreach (var (reason, cards) in Counts)
        {
            if (words.Length > 0)
            {
                words.Append(", ");
                people.Append("; ");
            }
            words.Append(cards).Append('/').Append(Cards).Append(' ').Append(reason);
            people.Append(cards).Append(" of ").Append(Cards).Append(Cards == 1 ? " card: " : " cards: ").Append(reason.Words());
        }
        return $"{words} ({people})";
    }
}
