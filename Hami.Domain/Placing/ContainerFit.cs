using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Can one node serve one container, beside what its pod was given already?</summary>
internal static class ContainerFit
{
    /// <summary>Chooses the container's cards and takes them.</summary>
    /// <param name="position">Position of the container among all of the pod.</param>
    /// <param name="uses">What is taken of each card; the chosen are added.</param>
    /// <param name="order">Scratch, one per card.</param>
    /// <param name="shares">What the pod was given already; the chosen are added.</param>
    /// <param name="refusals">Cards per reason when the container does not fit.</param>
    /// <param name="trace">The same for each card; null when nobody wants to know.</param>
    public static bool TryFit(
        PodAsk ask, int position, NodeUse node, Terms terms, Span<CardUse> uses, Span<int> order, List<Share> shares, Span<int> refusals, FitTrace? trace)
    {
        var container = ask.Containers[position];
        trace?.Begin(position, uses);
        if (container.Count > node.Cards.Length && !(node.HasMig && ask.Wish.AllowsMode(Card.MigMode)))
        {
            refusals[(int)CardRefusal.NodeInsufficientDevice] = node.Cards.Length;
            for (var i = 0; trace is not null && i < node.Cards.Length; i++)
                trace.Count(i, CardRefusal.NodeInsufficientDevice);
            return false;
        }
        CardOrder.BestFirst(ask, container, node, terms, uses, order);
        var walk = new Walk(ask, container, position, node, terms.Quota, uses, shares, refusals, trace);
        if (!(ask.Cards.BestConnected ? walk.TakeBestConnected(order) : walk.TakeFirst(order)))
            return false;
        refusals.Clear();
        return true;
    }

    /// <summary>Why a card does not give the container one share, as if the container asked for no more and were alone.</summary>
    public static CardRefusal Alone(PodAsk ask, int position, NodeUse node, int card, QuotaRoom quota) =>
        new Walk(ask, ask.Containers[position], position, node, quota, node.Uses.ToArray(), [], [], null).Refuses(card);

    private ref struct Walk(
        PodAsk ask, ContainerAsk container, int position, NodeUse node, QuotaRoom quota, Span<CardUse> uses, List<Share> shares, Span<int> refusals, FitTrace? trace)
    {
        private readonly Span<CardUse> _uses = uses;
        private readonly Span<int> _refusals = refusals;
        private readonly int _before = shares.Count;
        private int _numa = -1;

        // While cards are only looked at, each counts against the quota as if it were the only one.
        private bool _onlyLooking;

        private readonly int Taken => shares.Count - _before;

        /// <summary>Takes cards in their order until there are enough.</summary>
        public bool TakeFirst(ReadOnlySpan<int> order)
        {
            Span<CardUse> untouched = ask.Wish.OneNuma ? _uses.ToArray() : default;
            foreach (var card in order)
            {
                if (!IsOfKind(card))
                    continue;
                if (EntersNuma(card) && Taken > 0)
                {
                    _refusals[(int)CardRefusal.NumaNotFit] += Taken;
                    TraceTaken(CardRefusal.NumaNotFit);
                    untouched.CopyTo(_uses);
                    shares.RemoveRange(_before, Taken);
                }
                if (TakeOf(card, container.Count - Taken))
                    return true;
            }
            return TooFew();
        }

        /// <summary>Takes the best connected of all cards that pass, of one NUMA node when the pod wants that.</summary>
        public bool TakeBestConnected(ReadOnlySpan<int> order)
        {
            var untouched = _uses.ToArray();
            _onlyLooking = true;
            var passed = Passing(order);
            _onlyLooking = false;
            var offered = shares.GetRange(_before, Taken);
            untouched.CopyTo(_uses);
            shares.RemoveRange(_before, Taken);

            var (best, chosen) = (long.MinValue, new List<Share>());
            foreach (var group in NumaGroups(passed))
            {
                if (group.Count < container.Count)
                    continue;
                var cards = group.ConvertAll(at => passed[at]);
                var positions = BestConnected.Choose(node, cards, container.Count);
                var total = BestConnected.Total(node, cards, positions);
                if (total > best)
                    (best, chosen) = (total, [.. positions.Select(p => offered[group[p]])]);
            }
            if (chosen.Count == 0 || !quota.Holds(CardUse.Sum([.. shares, .. chosen])))
            {
                // The plain walk says why, or finds smaller cards that the quota allows.
                _refusals.Clear();
                trace?.Clear();
                return TakeFirst(order);
            }
            shares.AddRange(chosen);
            foreach (var share in chosen)
                _uses[IndexOf(share.DeviceUuid)] += CardUse.Of(share);
            return true;
        }

        /// <summary>The card of every share the container could have, in order; the shares are left among the pod's.</summary>
        private readonly List<int> Passing(ReadOnlySpan<int> order)
        {
            var passed = new List<int>();
            foreach (var card in order)
            {
                if (!IsOfKind(card))
                    continue;
                TakeOf(card, container.Count);
                while (passed.Count < Taken)
                    passed.Add(card);
            }
            return passed;
        }

        /// <summary>Positions in <paramref name="passed"/> that may be taken together.</summary>
        private readonly List<List<int>> NumaGroups(List<int> passed)
        {
            var groups = new List<List<int>>();
            for (var i = 0; i < passed.Count; i++)
            {
                if (groups.Count == 0 || (ask.Wish.OneNuma && node.Cards[passed[i]].Numa != node.Cards[passed[i - 1]].Numa))
                    groups.Add([]);
                groups[^1].Add(i);
            }
            return groups;
        }

        private readonly bool IsOfKind(int card)
        {
            var refusal = Fit.RefusesKind(ask.Wish, node.Cards[card], node.IsCordoned(card));
            if (refusal is CardRefusal.None)
                return true;
            Count(card, refusal);
            return false;
        }

        /// <summary>Why the card does not give one share.</summary>
        public readonly CardRefusal Refuses(int card) =>
            Fit.RefusesKind(ask.Wish, node.Cards[card], node.IsCordoned(card)) is var kind and not CardRefusal.None ? kind : Cut(node.Cards[card], _uses[card]).Refusal;

        private readonly void Count(int card, CardRefusal refusal)
        {
            _refusals[(int)refusal]++;
            trace?.Count(card, refusal);
        }

        private readonly void TraceTaken(CardRefusal refusal)
        {
            for (var i = _before; trace is not null && i < shares.Count; i++)
                trace.Count(IndexOf(shares[i].DeviceUuid), refusal);
        }

        private bool EntersNuma(int card)
        {
            var numa = node.Cards[card].Numa;
            if (!ask.Wish.OneNuma || numa == _numa)
                return false;
            _numa = numa;
            return true;
        }

        /// <summary>Takes the card once, or as many MIG instances of it as there are, up to <paramref name="most"/>.</summary>
        /// <returns>True when the container has all its cards.</returns>
        private readonly bool TakeOf(int index, int most)
        {
            var card = node.Cards[index];
            for (var instances = 0; instances < (card.IsMig ? most : 1); instances++)
            {
                var (share, refusal) = Cut(card, _uses[index]);
                if (share is null)
                {
                    Count(index, refusal);
                    break;
                }
                shares.Add(share);
                _uses[index] += CardUse.Of(share);
            }
            return Taken >= container.Count;
        }

        private readonly (Share? Share, CardRefusal Refusal) Cut(Card card, CardUse use)
        {
            var refusal = Fit.RefusesUse(ask, card, use);
            if (refusal is not CardRefusal.None)
                return (null, refusal);
            var needMiB = card.IsMig ? MigFit.NeedMiB(container, card) : container.NeedMiB(card.MemoryMiB);
            var instance = card.IsMig ? MigFit.Choose(card, use.Mig, needMiB) : null;
            var share = instance is var (profile, place)
                ? Of(card, profile.MemoryMiB, profile.Cores, new(profile.Name, place.Start, place.Size))
                : Of(card, needMiB, container.Cores, null);
            if (!quota.IsUnlimited && !quota.Holds(CardUse.Sum([.. _onlyLooking ? shares.Take(_before) : shares, share])))
                return (null, CardRefusal.ResourceQuotaNotFit);
            refusal = Fit.RefusesSize(container, card, use, needMiB);
            if (refusal is CardRefusal.None && card.IsMig && instance is null)
                refusal = CardRefusal.CardMigTopologyInfeasible;
            return refusal is CardRefusal.None ? (share, refusal) : (null, refusal);
        }

        private readonly Share Of(Card card, long memoryMiB, int cores, MigSlice? mig) =>
            new(position, container.Name, container.EndsBeforeApps, card.Uuid, memoryMiB, cores, mig);

        private readonly bool TooFew()
        {
            if (Taken > 0)
                _refusals[(int)CardRefusal.AllocatedCardsInsufficientRequest] = Taken;
            TraceTaken(CardRefusal.AllocatedCardsInsufficientRequest);
            return false;
        }

        private readonly int IndexOf(string uuid)
        {
            for (var i = 0; i < node.Cards.Length; i++)
            {
                if (node.Cards[i].Uuid == uuid)
                    return i;
            }
            throw new ArgumentException($"{uuid} is no card of {node.Name}.", nameof(uuid));
        }
    }
}
