using System.Collections.Immutable;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Preempting;

namespace Hami.Domain.Replaying;

/// <summary>What would let a refused pod be placed, each by itself, found by placing it.</summary>
/// <remarks>Cards that other pods had set aside between filter and bind are not in the log and count as free here.</remarks>
public static class WhatWouldFit
{
    /// <summary>One sentence for each change that suffices alone; empty when none does.</summary>
    public static IReadOnlyList<string> Of(PodAsk ask, ClusterLedger cluster)
    {
        var scene = new Scene(ask, cluster);
        if (scene.Fits(ask))
            return ["It fits as it is: it waits for kube-scheduler to try it again."];
        IEnumerable<string?> changes =
        [
            LessMemory(scene), LowerPercent(scene), FewerCores(scene), FewerCards(scene), .. OtherWishes(scene), NotAlone(scene), LargerQuota(scene),
            Uncordoned(scene), OthersGone(scene),
        ];
        return [.. changes.OfType<string>()];
    }

    private static string? LessMemory(Scene scene)
    {
        var asked = scene.Ask.Containers.Where(c => c.Count > 0).Max(c => c.MemoryMiB);
        return Largest(asked, most => scene.Fits(scene.With(c => c with { MemoryMiB = Math.Min(c.MemoryMiB, most) }))) is { } enough
            ? $"It would fit if it asked at most {enough} MiB of a card instead of {asked}."
            : null;
    }

    private static string? LowerPercent(Scene scene)
    {
        var asked = scene.Ask.Containers.Where(c => c is { Count: > 0, MemoryMiB: 0 }).Select(c => c.MemoryPercent).DefaultIfEmpty().Max();
        return Largest(asked, most => scene.Fits(scene.With(c => c with { MemoryPercent = Math.Min(c.MemoryPercent, (int)most) }))) is { } enough
            ? $"It would fit if it asked at most {enough} % of a card's memory instead of {asked} %."
            : null;
    }

    private static string? FewerCores(Scene scene)
    {
        var asked = scene.Ask.Containers.Where(c => c.Count > 0).Max(c => c.Cores);
        return Largest(asked, most => scene.Fits(scene.With(c => c with { Cores = Math.Min(c.Cores, (int)most) })), least: 0) is { } enough
            ? $"It would fit if it asked at most {enough} % of a card's compute instead of {asked} %."
            : null;
    }

    private static string? FewerCards(Scene scene)
    {
        var asked = scene.Ask.Containers.Max(c => c.Count);
        return Largest(asked, most => scene.Fits(scene.With(c => c with { Count = Math.Min(c.Count, (int)most) }))) is { } enough
            ? $"It would fit if no container asked for more than {enough} {(enough == 1 ? "card" : "cards")} instead of {asked}."
            : null;
    }

    private static IEnumerable<string?> OtherWishes(Scene scene)
    {
        var wish = scene.Ask.Wish;
        yield return Without(wish with { UseTypes = [], AvoidTypes = [] }, "that name models of cards");
        yield return Without(wish with { UseUuids = [], AvoidUuids = [] }, "that name UUIDs of cards");
        yield return Without(wish with { Mode = null }, "that name a mode of cards");
        yield return Without(wish with { OneNuma = false }, "that want all cards on one NUMA node");

        string? Without(CardWish other, string which) =>
            other != wish && scene.Fits(scene.Ask with { Wish = other }) ? $"It would fit without its annotations {which}." : null;
    }

    private static string? NotAlone(Scene scene) =>
        scene.Ask.Cards.IdleOnly && scene.Fits(scene.Ask with { Cards = CardPolicy.Spread })
            ? "It would fit if it shared cards: its card policy mutex takes only cards that nobody uses." : null;

    private static string? LargerQuota(Scene scene)
    {
        var room = scene.Terms.Quota;
        if (room.IsUnlimited || scene.FirstFit(QuotaRoom.Unlimited) is not { } use)
            return null;
        var lacks = new List<string>();
        if (room.MemoryMiB < use.MemoryMiB)
            lacks.Add($"{use.MemoryMiB - room.MemoryMiB} MiB");
        if (room.Cores < use.Cores)
            lacks.Add($"{use.Cores - room.Cores} cores");
        return lacks.Count == 0 ? null : $"It would fit if the quota of namespace {scene.Ask.Namespace} left {string.Join(" and ", lacks)} more.";
    }

    private static string? Uncordoned(Scene scene)
    {
        var cordoned = scene.Cluster.Nodes.Where(n => !n.Value.Cordoned.IsEmpty).OrderBy(n => n.Key, StringComparer.Ordinal);
        foreach (var (name, ledger) in cordoned)
        {
            var open = NodeUse.Of(name, ledger with { Cordoned = [] });
            var shares = new List<Share>();
            if (NodeFit.TryFit(scene.Ask, open, scene.Terms, shares, new int[CardRefusals.Count]))
                return $"It would fit on {name} if these cards were not cordoned: {string.Join(", ", shares.Select(s => s.DeviceUuid).Where(ledger.Cordoned.Contains).Distinct(StringComparer.Ordinal))}.";
        }
        return null;
    }

    private static string? OthersGone(Scene scene)
    {
        (string Node, IReadOnlyList<string> Pods)? fewest = null;
        foreach (var node in scene.Nodes)
        {
            var allocations = scene.Cluster.Node(node.Name).Allocations.Values.ToDictionary(a => a.PodUid, StringComparer.Ordinal);
            var holders = allocations.Values.Select(a => new Holder(a.PodUid, a.Namespace, a.Id, a.Held, 0, HolderFate.MayGo)).ToList();
            if (ChooseVictims.On(scene.Ask, 1, node, holders, scene.Terms) is { Count: > 0 } gone && (fewest is null || gone.Count < fewest.Value.Pods.Count))
                fewest = (node.Name, [.. gone.Select(h => $"{h.Namespace}/{allocations[h.PodUid].Pod}")]);
            if (fewest?.Pods.Count == 1)
                break;
        }
        return fewest is var (name, pods)
            ? $"It would fit on {name} if {(pods.Count == 1 ? "this pod" : $"these {pods.Count} pods")} ended: {string.Join(", ", pods)}."
            : null;
    }

    /// <summary>The largest number below the one asked that suffices; null when none does, or nothing was asked.</summary>
    private static long? Largest(long asked, Func<long, bool> suffices, long least = 1)
    {
        if (asked <= least || !suffices(least))
            return null;
        var (enough, tooMuch) = (least, asked);
        while (tooMuch - enough > 1)
        {
            var middle = enough + ((tooMuch - enough) / 2);
            if (suffices(middle))
                enough = middle;
            else
                tooMuch = middle;
        }
        return enough;
    }


    private sealed class Scene(PodAsk ask, ClusterLedger cluster)
    {
        public PodAsk Ask { get; } = ask;

        public ClusterLedger Cluster { get; } = cluster;

        public Terms Terms { get; } = cluster.TermsFor(ask.Namespace);

        public ImmutableArray<NodeUse> Nodes { get; } =
            [.. cluster.Nodes.Where(n => n.Value.Cards.Count > 0).OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => NodeUse.Of(n.Key, n.Value))];

        public bool Fits(PodAsk other) => NodeFit.FitsAny(other, Nodes, Terms);

        public PodAsk With(Func<ContainerAsk, ContainerAsk> change) => Ask with { Containers = [.. Ask.Containers.Select(change)] };

        /// <summary>What the pod would take of the first node that serves it within that quota.</summary>
        public QuotaUse? FirstFit(QuotaRoom quota)
        {
            var shares = new List<Share>();
            foreach (var node in Nodes)
            {
                if (NodeFit.TryFit(Ask, node, Terms with { Quota = quota }, shares, new int[CardRefusals.Count]))
                    return CardUse.Sum(shares);
            }
            return null;
        }
    }
}
