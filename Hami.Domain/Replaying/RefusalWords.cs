using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Quotas;

namespace Hami.Domain.Replaying;

/// <summary>What placement found of one pod on one node, in sentences.</summary>
/// <param name="trace">What each card said; of the container that did not fit.</param>
internal sealed class RefusalWords(PodAsk ask, NodeUse node, QuotaRoom quota, FitTrace trace)
{
    /// <summary>Of a node that would take the pod.</summary>
    public const string NodeFits =
        "Its cards would take the pod as it is: kube-scheduler has not tried it again yet, or does not offer this node for the pod, as for its CPU, memory, taints or the pod's node selector.";

    private ContainerAsk Container => ask.Containers[trace.Container];

    /// <summary>The one who asks: the pod, or the container of several that did not fit.</summary>
    private string Who => ask.Containers.Count(c => c.Count > 0) == 1 ? "the pod" : $"container {Container.Name}";

    /// <summary>One sentence of a node that does not take the pod.</summary>
    public string Node(UnfitReasons reasons)
    {
        if (reasons.Counts is [(CardRefusal.NodeInsufficientDevice, _)])
            return $"It has {Cards(reasons.Cards)}, and {Who} asks for {Container.Count}.";
        if (reasons.Counts.Any(c => c.Reason is CardRefusal.ResourceQuotaNotFit))
            return Quota();
        var sentence = $"{string.Join("; ", reasons.Counts.Select(c => $"{c.Cards} of {Cards(reasons.Cards)}: {c.Reason.Words()}"))}.";
        return Who == "the pod" ? sentence : $"For {Who}: {sentence}";
    }

    /// <summary>What a card of such a node says.</summary>
    public (CardRefusal Reason, string Why) Unfit(int at)
    {
        var reason = Reason(at);
        return (reason, Says(at, reason) + Alone(at, reason));
    }

    /// <summary>What a card says of a node that would take the pod.</summary>
    public string Fitting(int at, List<Share> shares)
    {
        var own = shares.Where(s => s.DeviceUuid == node.Cards[at].Uuid).ToList();
        return own.Count == 0
            ? "The pod would fit on this node without it."
            : $"It would be taken: {string.Join("; ", own.Select(s => $"{s.MemoryMiB} MiB{(s.Cores > 0 ? $" and {s.Cores} % of its compute" : "")} for container {s.Container}"))}.";
    }

    /// <summary>What stands in the way; that more cards are needed only where nothing else does.</summary>
    private CardRefusal Reason(int at)
    {
        var last = CardRefusal.None;
        for (var reason = CardRefusal.None + 1; (int)reason < CardRefusals.Count; reason++)
        {
            if (trace.Of(at, reason) == 0)
                continue;
            last = reason;
            if (reason is not (CardRefusal.NumaNotFit or CardRefusal.AllocatedCardsInsufficientRequest))
                break;
        }
        return last;
    }

    private string Says(int at, CardRefusal reason)
    {
        var (card, use) = (node.Cards[at], trace.Beside(at));
        // Of a card that is cut into instances some may have been given before there was no more room.
        var instances = trace.Of(at, CardRefusal.AllocatedCardsInsufficientRequest) + trace.Of(at, CardRefusal.NumaNotFit);
        var beside = use != node.Uses[at] ? " beside what the pod's other containers would take" : "";
        switch (reason)
        {
            case CardRefusal.CardNotHealth:
                return "It is unhealthy.";
            case CardRefusal.CardCordoned:
                return "An admin has cordoned it: it takes no new pods.";
            case CardRefusal.CardTypeMismatch when ask.Wish.AllowsModel(card.Model):
                return $"The pod's annotations want mode {ask.Wish.Mode}, and its mode is {card.Mode}.";
            case CardRefusal.CardTypeMismatch:
                return $"The pod's annotations do not allow the model {card.Model}{Models()}.";
            case CardRefusal.CardUuidMismatch:
                return ask.Wish.AvoidUuids.Contains(card.Uuid) ? "The pod's annotations rule out its UUID." : "The pod's annotations name other cards by their UUIDs.";
            case CardRefusal.CardTimeSlicingExhausted:
                return $"All its {card.Slots} slots are taken{beside}.";
            case CardRefusal.ExclusiveDeviceAllocateConflict:
                return ask.Cards.IdleOnly && use.Slots > 0
                    ? $"It is in use{beside}, and the pod's card policy mutex takes only cards that nobody uses."
                    : $"It is in use{beside}, and {Who} asks for a whole card.";
            case CardRefusal.ResourceQuotaNotFit:
                return $"With a share of it the pod would exceed the quota of namespace {ask.Namespace}, which leaves {Left()}.";
            case CardRefusal.CardInsufficientMemory when card.MemoryMiB < Need(card):
                return $"It has {card.MemoryMiB} MiB in all, and {Who} asks for {Need(card)} MiB{OfEach}.";
            case CardRefusal.CardInsufficientMemory:
                return $"{Free($"{Math.Max(0, card.MemoryMiB - use.MemoryMiB)} MiB of its memory are", instances, beside)}, and {Who} asks for {Need(card)} MiB{OfEach}.";
            case CardRefusal.CardInsufficientCore:
                return $"{Free($"{(use.Whole > 0 ? 0 : Math.Max(0, card.Cores - use.Cores))} % of its compute is", instances, beside)}, and {Who} asks for {Container.Cores} %{OfEach}.";
            case CardRefusal.CardComputeUnitsExhausted:
                return $"All its compute is reserved{beside}, so that nothing is left for a container that reserves none.";
            case CardRefusal.CardMigTopologyInfeasible:
                return instances == 0
                    ? $"No MIG instance with {Need(card)} MiB has a free place on it{beside}."
                    : $"Only {instances} MIG {(instances == 1 ? "instance" : "instances")} with {Need(card)} MiB {(instances == 1 ? "has" : "have")} a free place on it{beside}, and {Who} asks for {Container.Count}.";
            case CardRefusal.NumaNotFit:
                return $"It would take a share by itself, but {Who} asks for {Container.Count} cards of one NUMA node, and too few of NUMA node {card.Numa} serve.";
            case CardRefusal.AllocatedCardsInsufficientRequest:
                return $"It would take a share by itself, but {Who} asks for {Container.Count} cards{(ask.Wish.OneNuma ? " of one NUMA node" : "")}, and only {Usable()} here.";
            case CardRefusal.NodeInsufficientDevice:
                return $"The node has {Cards(node.Cards.Length)}, and {Who} asks for {Container.Count}.";
            default:
                throw new ArgumentOutOfRangeException(nameof(reason), reason, "No reason to put into words.");
        }
    }

    /// <summary>Whether the card would do if it were a matter of this one share; nothing where that is said already, or is plain.</summary>
    private string Alone(int at, CardRefusal reason)
    {
        if (reason is CardRefusal.NumaNotFit or CardRefusal.AllocatedCardsInsufficientRequest)
            return "";
        var alone = ContainerFit.Alone(ask, trace.Container, node, at, quota);
        return alone is CardRefusal.None ? " It would take a share by itself."
            : reason is CardRefusal.NodeInsufficientDevice ? $" It would not take a share by itself either: {alone.Words()}."
            : "";
    }

    private string Quota()
    {
        var least = LeastUse.Of(ask);
        var lacks = new List<string>();
        if (least.MemoryMiB > quota.MemoryMiB)
            lacks.Add($"{least.MemoryMiB} MiB");
        if (least.Cores > quota.Cores)
            lacks.Add($"{least.Cores} % of a card's compute");
        return lacks.Count == 0
            ? $"The quota of namespace {ask.Namespace} leaves {Left()}: less than the pod would take on this node."
            : $"The quota of namespace {ask.Namespace} leaves {Left()}, and the pod takes at least {string.Join(" and ", lacks)}.";
    }

    /// <summary>What the quota leaves; of what it limits.</summary>
    private string Left()
    {
        var left = new List<string>();
        if (quota.MemoryMiB is { } memory)
            left.Add($"{Math.Max(0, memory)} MiB");
        if (quota.Cores is { } cores)
            left.Add($"{Math.Max(0, cores)} % of a card's compute");
        return string.Join(" and ", left);
    }

    private string Models()
    {
        var words = new List<string>();
        if (ask.Wish.UseTypes.Count > 0)
            words.Add($"want {string.Join(" or ", ask.Wish.UseTypes)}");
        if (ask.Wish.AvoidTypes.Count > 0)
            words.Add($"rule out {string.Join(" and ", ask.Wish.AvoidTypes)}");
        return words.Count == 0 ? "" : $": they {string.Join(", and ", words)}";
    }

    private string Usable()
    {
        var usable = 0;
        for (var i = 0; i < node.Cards.Length; i++)
            usable += trace.Of(i, CardRefusal.AllocatedCardsInsufficientRequest);
        return usable == 1 ? "1 serves" : $"{usable} serve";
    }

    private static string Free(string what, int instances, string beside) => instances > 0
        ? $"With {instances} more {(instances == 1 ? "instance" : "instances")} on it too little is free"
        : $"{what} free{beside}";

    private string OfEach => Container.Count > 1 ? " of each card" : "";

    private long Need(Card card) => card.IsMig ? MigFit.NeedMiB(Container, card) : Container.NeedMiB(card.MemoryMiB);

    private static string Cards(int cards) => cards == 1 ? "1 card" : $"{cards} cards";
}
