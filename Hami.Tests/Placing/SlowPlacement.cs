using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Tests.Placing;

/// <summary>A node as the slow placement sees it: facts only, nothing is added up beforehand.</summary>
/// <param name="Pods">The shares of each pod that is there.</param>
internal sealed record SlowNode(
    string Name, IReadOnlyList<Card> Cards, IReadOnlyList<CardLink> Links, IReadOnlySet<string> Cordoned, IReadOnlyList<IReadOnlyList<Share>> Pods);

/// <summary>The shares a pod would get, or why the node cannot take it: cards per reason word.</summary>
internal sealed record SlowAnswer(IReadOnlyList<Share>? Shares, IReadOnlyDictionary<string, int> Reasons)
{
    /// <summary>As <c>FailedNodes</c> says it, without the sentence for people.</summary>
    public string Text(int cards) => Reasons.ContainsKey("NodeInsufficientDevice")
        ? "NodeInsufficientDevice"
        : string.Join(", ", Reasons.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"{r.Value}/{cards} {r.Key}"));
}

/// <summary>
/// The rules of placement once more, as plainly as they can be written and with everything computed anew each time: what the fast engine
/// answers must be this. It shares no code with it but the records.
/// </summary>
internal sealed class SlowPlacement(SlowNode node, PodAsk ask, long? quotaMiB, long? quotaCores)
{
    private readonly string[] _words = ask.Cards.Word.Split(',');
    private readonly List<Share> _given = [];
    private Dictionary<string, int> _reasons = new(StringComparer.Ordinal);

    public static SlowAnswer Try(SlowNode node, PodAsk ask, long? quotaMiB = null, long? quotaCores = null) =>
        new SlowPlacement(node, ask, quotaMiB, quotaCores).Answer();

    /// <summary>Used parts of slots, cores and memory of all cards, before the pod.</summary>
    public static double Score(SlowNode node)
    {
        double slots = 0, cores = 0, memory = 0, allSlots = 0, allCores = 0, allMemory = 0;
        foreach (var card in node.Cards)
        {
            var use = Used(node.Pods, card);
            (slots, cores, memory) = (slots + use.Slots, cores + use.Cores, memory + use.MemoryMiB);
            (allSlots, allCores, allMemory) = (allSlots + card.Slots, allCores + card.Cores, allMemory + card.MemoryMiB);
        }
        return allSlots == 0 || allCores == 0 || allMemory == 0 ? 0 : 10 * ((slots / allSlots) + (cores / allCores) + (memory / allMemory));
    }

    private SlowAnswer Answer()
    {
        for (var c = 0; c < ask.Containers.Count; c++)
        {
            if (ask.Containers[c].Count == 0)
                continue;
            if (Container(c) is not { } taken)
                return new(null, _reasons);
            _given.AddRange(taken);
        }
        return new(_given, new Dictionary<string, int>(StringComparer.Ordinal));
    }

    private List<Share>? Container(int at)
    {
        _reasons = new(StringComparer.Ordinal);
        var asked = ask.Containers[at];
        var instancesWillDo = node.Cards.Any(c => c.Mode == "mig") && (ask.Wish.Mode is null || ask.Wish.Mode.Contains("mig", StringComparison.Ordinal));
        if (asked.Count > node.Cards.Count && !instancesWillDo)
        {
            _reasons["NodeInsufficientDevice"] = node.Cards.Count;
            return null;
        }
        var order = Order(at);
        if (_words.Contains("topology-aware"))
        {
            if (BestConnected(at, Walk(at, order, all: true)) is { } connected && !Exceeds(connected))
                return connected;
            _reasons = new(StringComparer.Ordinal);
        }
        var taken = Walk(at, order, all: false);
        if (taken.Count == asked.Count)
            return taken;
        if (taken.Count > 0)
            Count("AllocatedCardsInsufficientRequest", taken.Count);
        return null;
    }

    /// <summary>The cards as they are tried: by the words of the policy in their order, the higher index first where these say nothing.</summary>
    private List<Card> Order(int at)
    {
        var keys = new List<Func<Card, double>>();
        if (ask.Wish.OneNuma)
            keys.Add(_words is ["binpack"] ? c => c.Numa : c => -c.Numa);
        foreach (var word in _words is [var only] ? Alone(only) : InAList())
        {
            keys.Add(word switch
            {
                "binpack" => c => -CardScore(at, c),
                "spread" => c => CardScore(at, c),
                "numa" => c => -c.Numa,
                _ => c => Now(at, c, []).Slots,
            });
        }
        var order = node.Cards.Select((card, i) => (card, i)).OrderBy(_ => 0);
        foreach (var key in keys)
            order = order.ThenBy(c => key(c.card));
        return [.. order.ThenByDescending(c => c.i).Select(c => c.card)];
    }

    private static string[] Alone(string word) => word switch
    {
        "binpack" => ["binpack", "numa"],
        "numa" => ["numa"],
        "mutex" => ["users", "numa"],
        _ => ["spread", "numa"],
    };

    private string[] InAList()
    {
        string[] keys = [.. _words.Where(w => w is "binpack" or "spread" or "numa").Distinct(StringComparer.Ordinal)];
        return keys.Length > 0 ? keys : ["spread"];
    }

    private double CardScore(int at, Card card)
    {
        var (use, asked, weights) = (Now(at, card, []), ask.Containers[at], ask.Weights);
        if (card.Slots == 0 || card.Cores == 0 || card.MemoryMiB == 0)
            return 0;
        var slots = (weights?.Slot ?? 1) * (double)(use.Slots + 1) / card.Slots;
        var cores = (weights?.Core ?? 1) * (double)(use.Cores + asked.Cores) / card.Cores;
        var memory = (weights?.Memory ?? 1) * (double)(use.MemoryMiB + Percent(asked, card)) / card.MemoryMiB;
        return 10 * (slots + cores + memory);
    }

    /// <summary>Tries the cards in order until there are enough, or all of them as often as the container could want them.</summary>
    private List<Share> Walk(int at, List<Card> order, bool all)
    {
        var asked = ask.Containers[at];
        var taken = new List<Share>();
        int? numa = null;
        foreach (var card in order)
        {
            if (RefusesKind(card) is { } kind)
            {
                Count(kind, 1);
                continue;
            }
            if (ask.Wish.OneNuma && card.Numa != numa)
            {
                numa = card.Numa;
                if (!all && taken.Count > 0)
                {
                    Count("NumaNotFit", taken.Count);
                    taken.Clear();
                }
            }
            for (var instance = 0; instance < (card.Mode == "mig" ? asked.Count : 1) && (all || taken.Count < asked.Count); instance++)
            {
                var (share, reason) = Cut(at, card, taken, beside: all ? [] : taken);
                if (share is null)
                {
                    Count(reason!, 1);
                    break;
                }
                taken.Add(share);
            }
            if (!all && taken.Count == asked.Count)
                return taken;
        }
        return taken;
    }

    private string? RefusesKind(Card card)
    {
        bool Named(IReadOnlyList<string> words) => words.Any(w => card.Model.ToUpperInvariant().Contains(w.ToUpperInvariant(), StringComparison.Ordinal));
        if (!card.Healthy)
            return "CardNotHealth";
        if (node.Cordoned.Contains(card.Uuid))
            return "CardCordoned";
        var wish = ask.Wish;
        var wrongModel = (wish.UseTypes.Count > 0 && !Named(wish.UseTypes)) || Named(wish.AvoidTypes);
        return wrongModel || (wish.Mode is not null && !wish.Mode.Contains(card.Mode, StringComparison.Ordinal)) ? "CardTypeMismatch" : null;
    }

    /// <param name="beside">Shares of this container that count against the quota.</param>
    private (Share? Share, string? Reason) Cut(int at, Card card, List<Share> taken, List<Share> beside)
    {
        var asked = ask.Containers[at];
        var use = Now(at, card, taken);
        if ((ask.Wish.UseUuids.Count > 0 && !ask.Wish.UseUuids.Contains(card.Uuid)) || ask.Wish.AvoidUuids.Contains(card.Uuid))
            return (null, "CardUuidMismatch");
        if (use.Slots >= card.Slots)
            return (null, "CardTimeSlicingExhausted");
        if (_words.Contains("mutex") && use.Slots > 0)
            return (null, "ExclusiveDeviceAllocateConflict");

        var need = Percent(asked, card);
        var instance = default((MigProfile, MigPlacement)?);
        if (card.Mode == "mig")
        {
            if (asked.MemoryMiB == 0 && asked.MemoryPercent == 100)
                need = Math.Min(need, card.MigProfiles!.Max(p => p.MemoryMiB));
            instance = Instance(card, use.Slices, need);
        }
        var share = instance is var (profile, place)
            ? new Share(at, asked.Name, asked.EndsBeforeApps, card.Uuid, profile.MemoryMiB, profile.Cores, new(profile.Name, place.Start, place.Size))
            : new Share(at, asked.Name, asked.EndsBeforeApps, card.Uuid, need, asked.Cores);

        if (Exceeds([.. beside, share]))
            return (null, "ResourceQuotaNotFit");

        if (need > card.MemoryMiB - use.MemoryMiB)
            return (null, "CardInsufficientMemory");
        if (asked.Cores > (use.HeldWhole ? 0 : card.Cores - use.Cores))
            return (null, "CardInsufficientCore");
        if (asked.Cores == 100 && use.Slots > 0)
            return (null, "ExclusiveDeviceAllocateConflict");
        if (asked.Cores == 0 && (use.HeldWhole || (card.Cores > 0 && use.Cores >= card.Cores)))
            return (null, "CardComputeUnitsExhausted");
        return card.Mode == "mig" && instance is null ? (null, "CardMigTopologyInfeasible") : (share, null);
    }

    private bool Exceeds(List<Share> more)
    {
        IReadOnlyList<Share> pod = [.. _given, .. more];
        var uses = node.Cards.Select(c => Used([pod], c)).ToList();
        return uses.Sum(u => u.MemoryMiB) > (quotaMiB ?? long.MaxValue) || uses.Sum(u => u.Cores) > (quotaCores ?? long.MaxValue);
    }

    private static long Percent(ContainerAsk asked, Card card) => asked.MemoryMiB > 0 ? asked.MemoryMiB : card.MemoryMiB * asked.MemoryPercent / 100;

    private static (MigProfile, MigPlacement)? Instance(Card card, HashSet<int> taken, long need)
    {
        foreach (var profile in card.MigProfiles!.Where(p => p.MemoryMiB >= need).OrderBy(p => p.MemoryMiB).ThenBy(p => p.Slices))
        {
            var places = profile.Placements.OrderBy(p => profile.Name[..3] is "1g." or "3g." ? -p.Start : p.Start);
            if (places.FirstOrDefault(p => !Enumerable.Range(p.Start, p.Size).Any(taken.Contains)) is { } free)
                return (profile, free);
        }
        return null;
    }

    /// <summary>Of each NUMA group with enough, or of all: the best connected; for one card the one that leaves the best connected.</summary>
    private List<Share>? BestConnected(int at, List<Share> offered)
    {
        var count = ask.Containers[at].Count;
        int Numa(Share share) => ask.Wish.OneNuma ? node.Cards.Single(c => c.Uuid == share.DeviceUuid).Numa : 0;
        long Link(Share a, Share b) => node.Links.LastOrDefault(l => l.From == a.DeviceUuid && l.To == b.DeviceUuid)?.Score ?? 0;
        long Pairs(List<Share> chosen) => chosen.SelectMany((a, i) => chosen.Skip(i + 1).Select(b => Link(a, b))).Sum();
        List<Share>? best = null;
        foreach (var group in offered.GroupBy(Numa).Select(g => g.ToList()).Where(g => g.Count >= count))
        {
            var chosen = count == 1
                ? [group.MinBy(a => group.Where(b => !ReferenceEquals(a, b)).Sum(b => Link(a, b)))!]
                : Choices(group, count).MaxBy(Pairs)!;
            if (best is null || Pairs(chosen) > Pairs(best))
                best = chosen;
        }
        return best;
    }

    private static IEnumerable<List<Share>> Choices(List<Share> from, int count) => count == 0
        ? [[]]
        : from.SelectMany((first, i) => Choices([.. from.Skip(i + 1)], count - 1).Select(rest => (List<Share>)[first, .. rest]));

    /// <summary>What is taken of a card while the container starts: by other pods, by what of this pod runs then, and by the container's own shares.</summary>
    private CardTaken Now(int at, Card card, List<Share> taken) =>
        Sum([Used(node.Pods, card), .. _given.Where(s => !s.EndsBeforeApps).Concat(taken).Where(s => s.DeviceUuid == card.Uuid).Select(s => One(s, card))]);

    private static CardTaken Used(IReadOnlyList<IReadOnlyList<Share>> pods, Card card) => Sum(pods.Select(pod => OfPod([.. pod.Where(s => s.DeviceUuid == card.Uuid)], card)));

    /// <summary>The most a pod takes of a card at any moment: at each init container, which runs beside the sidecars before it, and when the apps run.</summary>
    private static CardTaken OfPod(List<Share> shares, Card card)
    {
        var moments = shares.Where(s => s.EndsBeforeApps).Select(s => s.ContainerIndex).Distinct()
            .Select(c => shares.Where(s => s.ContainerIndex == c || (!s.EndsBeforeApps && s.ContainerIndex < c)))
            .Append(shares.Where(s => !s.EndsBeforeApps))
            .Select(moment => Sum(moment.Select(s => One(s, card))))
            .ToList();
        return new(
            moments.Max(m => m.Slots), moments.Max(m => m.Cores), moments.Max(m => m.MemoryMiB), moments.Exists(m => m.HeldWhole),
            [.. moments.SelectMany(m => m.Slices)]);
    }

    private static CardTaken One(Share share, Card card) => new(
        1, share.Cores, share.MemoryMiB, share.Mig is null && share.Cores >= 100,
        share.Mig is { } mig ? [.. Enumerable.Range(mig.Start, mig.Size)] : card.Mode == "mig" ? [.. Enumerable.Range(0, 64)] : []);

    private static CardTaken Sum(IEnumerable<CardTaken> uses) => uses.Aggregate(
        new CardTaken(0, 0, 0, false, []),
        (a, b) => new(a.Slots + b.Slots, a.Cores + b.Cores, a.MemoryMiB + b.MemoryMiB, a.HeldWhole || b.HeldWhole, [.. a.Slices, .. b.Slices]));

    private void Count(string reason, int cards) => _reasons[reason] = _reasons.GetValueOrDefault(reason) + cards;

    private sealed record CardTaken(long Slots, long Cores, long MemoryMiB, bool HeldWhole, HashSet<int> Slices);
}
