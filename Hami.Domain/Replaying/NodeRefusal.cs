using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Domain.Replaying;

/// <summary>Why a node does not take a waiting pod.</summary>
/// <remarks>Cards that other pods have set aside between filter and bind are not in the log and count as free here.</remarks>
/// <param name="Node">Name of the node.</param>
/// <param name="Message">One sentence about the node as a whole.</param>
/// <param name="Cards">What each of its cards says, in order of their index.</param>
public sealed record NodeRefusal(string Node, string Message, IReadOnlyList<CardRefused> Cards)
{
    /// <summary>Tries the pod on the node as placement does, and puts into words what stands in the way.</summary>
    /// <param name="terms">Quota of the pod's namespace and the rest that placement depends on.</param>
    public static NodeRefusal Of(PodAsk ask, NodeUse node, Terms terms)
    {
        var trace = new FitTrace(node.Cards.Length);
        var shares = new List<Share>();
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        var fits = NodeFit.TryTraced(ask, node, terms, shares, refusals, trace);
        var words = new RefusalWords(ask, node, terms.Quota, trace);
        var cards = new CardRefused[node.Cards.Length];
        for (var i = 0; i < cards.Length; i++)
            cards[i] = Card(node, i, fits ? (CardRefusal.None, words.Fitting(i, shares)) : words.Unfit(i));
        Array.Sort(cards, (a, b) => a.Index != b.Index ? a.Index.CompareTo(b.Index) : string.CompareOrdinal(a.Uuid, b.Uuid));
        return new(node.Name, fits ? RefusalWords.NodeFits : words.Node(UnfitReasons.From(cards.Length, refusals)), cards);
    }

    private static CardRefused Card(NodeUse node, int at, (CardRefusal Reason, string Why) said)
    {
        var (card, room) = (node.Cards[at], node.Rooms[at]);
        // Of what was adopted more may be held than there is.
        return new(
            card.Uuid, card.Index, card.Model, said.Reason.ToString(), said.Why, Math.Max(0, room.FreeMiB), Math.Max(0, room.FreeCores), Math.Max(0, room.FreeSlots));
    }
}

/// <summary>Why a card does not take a waiting pod.</summary>
/// <param name="Uuid">UUID of the card.</param>
/// <param name="Index">Its NVML index.</param>
/// <param name="Type">Its product name.</param>
/// <param name="Reason">HAMi's reason word, such as <c>CardInsufficientMemory</c>; <c>None</c> on a node that would take the pod.</param>
/// <param name="Why">The reason in a sentence, with the numbers that count.</param>
/// <param name="FreeMemoryMiB">Device memory in MiB that nobody holds, memory scaling applied.</param>
/// <param name="FreeCores">Percent of its compute that nobody holds; 100 is one whole card.</param>
/// <param name="FreeSlots">How many more containers may share it.</param>
public sealed record CardRefused(string Uuid, int Index, string Type, string Reason, string Why, long FreeMemoryMiB, int FreeCores, int FreeSlots);
