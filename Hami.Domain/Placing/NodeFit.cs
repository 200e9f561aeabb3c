using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Can one node serve a whole pod, and with which cards?</summary>
public static class NodeFit
{
    /// <summary>Chooses the cards of every container.</summary>
    /// <param name="shares">The shares, in order of the containers, when the node fits; empty otherwise.</param>
    /// <param name="refusals">Cards per reason for the container that did not fit, indexed by <see cref="CardRefusal"/>; cleared here.</param>
    /// <returns>True when the node can take the pod.</returns>
    public static bool TryFit(PodAsk ask, NodeUse node, Terms terms, List<Share> shares, Span<int> refusals) => TryTraced(ask, node, terms, shares, refusals, null);

    /// <inheritdoc cref="TryFit"/>
    /// <param name="trace">What each card said; null when nobody wants to know.</param>
    internal static bool TryTraced(PodAsk ask, NodeUse node, Terms terms, List<Share> shares, Span<int> refusals, FitTrace? trace)
    {
        shares.Clear();
        refusals.Clear();
        var count = node.Cards.Length;
        var staying = count <= NodeUse.CommonCards ? stackalloc CardUse[count] : new CardUse[count];
        var passing = count <= NodeUse.CommonCards ? stackalloc CardUse[count] : new CardUse[count];
        var order = count <= NodeUse.CommonCards ? stackalloc int[count] : new int[count];
        node.Uses.CopyTo(staying);

        for (var c = 0; c < ask.Containers.Count; c++)
        {
            var container = ask.Containers[c];
            if (container.Count == 0)
                continue;

            // Init containers run one by one beside the sidecars before them and give back what they took; the others add up.
            var uses = staying;
            if (container.EndsBeforeApps)
            {
                staying.CopyTo(passing);
                uses = passing;
            }
            if (!ContainerFit.TryFit(ask, c, node, terms, uses, order, shares, refusals, trace))
            {
                shares.Clear();
                return false;
            }
        }
        return true;
    }

    /// <summary>Can the node take the pod? The answer of <see cref="TryFit"/>, found as cheaply as the pod allows.</summary>
    /// <param name="scratch">Overwritten.</param>
    internal static bool Fits(PodAsk ask, NodeUse node, Terms terms, int onlyAsking, List<Share> scratch)
    {
        if (onlyAsking >= 0 && !node.HasMig)
            return FitsOne(ask, ask.Containers[onlyAsking], node);
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        return TryFit(ask, node, terms, scratch, refusals);
    }

    /// <summary>Counts why a node cannot take the pod: the refusals of <see cref="TryFit"/>, found as cheaply as the pod allows.</summary>
    /// <param name="scratch">Overwritten.</param>
    internal static void Reasons(PodAsk ask, NodeUse node, Terms terms, int onlyAsking, List<Share> scratch, Span<int> refusals)
    {
        if (onlyAsking >= 0 && !node.HasMig && node.Cards.Length >= ask.Containers[onlyAsking].Count)
            ReasonsOne(ask, ask.Containers[onlyAsking], node, refusals);
        else
            TryFit(ask, node, terms, scratch, refusals);
    }

    /// <summary>
    /// Position of the one container that asks for cards, when whether a node fits can be told card by card; else −1.
    /// </summary>
    internal static int OnlyAsking(PodAsk ask, Terms terms)
    {
        if (ask.Wish.OneNuma || !terms.Quota.IsUnlimited)
            return -1;
        var only = -1;
        for (var c = 0; c < ask.Containers.Count; c++)
        {
            if (ask.Containers[c].Count == 0)
                continue;
            if (only >= 0)
                return -1;
            only = c;
        }
        return only;
    }

    /// <summary>True when some node can take the pod.</summary>
    public static bool FitsAny(PodAsk ask, IEnumerable<NodeUse> nodes, Terms terms)
    {
        var only = OnlyAsking(ask, terms);
        var scratch = new List<Share>();
        foreach (var node in nodes)
        {
            if (Fits(ask, node, terms, only, scratch))
                return true;
        }
        return false;
    }

    private static bool FitsOne(PodAsk ask, ContainerAsk container, NodeUse node)
    {
        var rooms = node.Rooms;
        var missing = container.Count;
        for (var i = 0; i < rooms.Length; i++)
        {
            if (!rooms[i].Serves(container, ask.Cards.IdleOnly))
                continue;
            if (!ask.Wish.AllowsAll && !(ask.Wish.AllowsType(node.Cards[i]) && ask.Wish.AllowsUuid(node.Cards[i].Uuid)))
                continue;
            if (--missing == 0)
                return true;
        }
        return false;
    }

    /// <summary>One container refuses each card for itself, whatever the order.</summary>
    private static void ReasonsOne(PodAsk ask, ContainerAsk container, NodeUse node, Span<int> refusals)
    {
        refusals.Clear();
        for (var i = 0; i < node.Cards.Length; i++)
        {
            var (card, use) = (node.Cards[i], node.Uses[i]);
            var refusal = Fit.RefusesKind(ask.Wish, card, node.IsCordoned(i));
            if (refusal is CardRefusal.None)
                refusal = Fit.RefusesUse(ask, card, use);
            if (refusal is CardRefusal.None)
                refusal = Fit.RefusesSize(container, card, use, container.NeedMiB(card.MemoryMiB));
            refusals[(int)(refusal is CardRefusal.None ? CardRefusal.AllocatedCardsInsufficientRequest : refusal)]++;
        }
    }
}
