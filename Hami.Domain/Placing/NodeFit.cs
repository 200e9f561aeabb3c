using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Can one node serve a whole pod, and with which cards?</summary>
public static class NodeFit
{
    // A node rarely has more; the scratch arrays of a larger one go to the heap.
    private const int CommonCards = 16;

    /// <summary>Chooses the cards of every container.</summary>
    /// <param name="shares">The shares, in order of the containers, when the node fits; empty otherwise.</param>
    /// <param name="refusals">Cards per reason for the container that did not fit, indexed by <see cref="CardRefusal"/>; cleared here.</param>
    /// <returns>True when the node can take the pod.</returns>
    public static bool TryFit(PodAsk ask, NodeUse node, List<Share> shares, Span<int> refusals)
    {
        shares.Clear();
        refusals.Clear();
        var count = node.Cards.Length;
        var apps = count <= CommonCards ? stackalloc CardUse[count] : new CardUse[count];
        var init = count <= CommonCards ? stackalloc CardUse[count] : new CardUse[count];
        var order = count <= CommonCards ? stackalloc int[count] : new int[count];
        node.Uses.CopyTo(apps);

        for (var c = 0; c < ask.Containers.Count; c++)
        {
            var container = ask.Containers[c];
            if (container.Count == 0)
                continue;

            // Init containers run one by one and give back what they took; app containers add up.
            var uses = apps;
            if (container.EndsBeforeApps)
            {
                node.Uses.CopyTo(init);
                uses = init;
            }
            if (!TryFitContainer(ask, c, node, uses, order, shares, refusals))
            {
                shares.Clear();
                return false;
            }
        }
        return true;
    }

    /// <summary>True when some node can take the pod.</summary>
    public static bool FitsAny(PodAsk ask, IEnumerable<NodeUse> nodes)
    {
        var shares = new List<Share>();
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        foreach (var node in nodes)
        {
            if (TryFit(ask, node, shares, refusals))
                return true;
        }
        return false;
    }

    private static bool TryFitContainer(
        PodAsk ask, int position, NodeUse node, Span<CardUse> uses, Span<int> order, List<Share> shares, Span<int> refusals)
    {
        var container = ask.Containers[position];
        if (container.Count > node.Cards.Length)
        {
            refusals[(int)CardRefusal.NodeInsufficientDevice] = node.Cards.Length;
            return false;
        }

        CardOrder.BestFirst(ask.Cards, container, node.Cards, uses, order);
        var taken = 0;
        foreach (var i in order)
        {
            var card = node.Cards[i];
            var refusal = Fit.Refuses(container, ask.Wish, card, uses[i]);
            if (refusal != CardRefusal.None)
            {
                refusals[(int)refusal]++;
                continue;
            }
            var needMiB = container.NeedMiB(card.MemoryMiB);
            uses[i] += new CardUse(1, container.Cores, needMiB);
            shares.Add(new(position, container.Name, container.EndsBeforeApps, card.Uuid, needMiB, container.Cores));
            if (++taken == container.Count)
            {
                refusals.Clear();
                return true;
            }
        }
        if (taken > 0)
            refusals[(int)CardRefusal.AllocatedCardsInsufficientRequest] = taken;
        return false;
    }
}
