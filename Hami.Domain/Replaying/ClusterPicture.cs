using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Domain.Replaying;

/// <summary>The cluster at one moment of the log, as a person looks at it.</summary>
/// <param name="Position">Sequence of the last event that counts; 0 before the first.</param>
/// <param name="At">The moment asked for.</param>
/// <param name="Policy">Policy in force; null before one was said.</param>
public sealed record ClusterPicture(
    long Position, DateTimeOffset At, PolicyInForce? Policy, IReadOnlyList<NodePicture> Nodes, IReadOnlyList<WaitingPicture> Waiting)
{
    /// <param name="node">Only this node, and the pods that wait; null for all.</param>
    public static ClusterPicture Of(ClusterLedger cluster, DateTimeOffset at, string? node = null) => new(
        cluster.Position, at, cluster.Policy,
        [
            .. cluster.Nodes.Where(n => node is null || n.Key == node)
                .OrderBy(n => n.Key, StringComparer.Ordinal)
                .Select(n => NodePicture.Of(n.Key, n.Value)),
        ],
        [
            .. cluster.Waiting.Values.OrderBy(w => w.At).ThenBy(w => w.Refusal.PodUid, StringComparer.Ordinal)
                .Select(w => new WaitingPicture(w.Refusal.Namespace, w.Refusal.Pod, w.Refusal.PodUid, w.At, w.Refusal.Message)),
        ]);
}

/// <summary>A node and its cards, those that pods hold though the node has them no more last.</summary>
public sealed record NodePicture(string Name, IReadOnlyList<CardPicture> Cards)
{
    internal static NodePicture Of(string name, NodeLedger ledger)
    {
        var use = NodeUse.Of(name, ledger);
        var cards = new List<CardPicture>();
        for (var i = 0; i < use.Cards.Length; i++)
        {
            var (card, taken) = (use.Cards[i], use.Uses[i]);
            cards.Add(new(
                card.Uuid, card.Model, card.Mode, card.MemoryMiB, taken.MemoryMiB, card.Cores, taken.Cores, card.Slots, taken.Slots,
                card.Healthy, use.IsCordoned(i), HeldShare.Of(ledger, card.Uuid)));
        }
        var known = ledger.Cards.Select(c => c.Uuid).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in ledger.Allocations.Values.SelectMany(a => a.Held).Select(s => s.DeviceUuid).Where(u => !known.Contains(u)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            cards.Add(CardPicture.Gone(gone, HeldShare.Of(ledger, gone)));
        return new(name, cards);
    }
}

/// <summary>A card, what is taken of it and by whom.</summary>
/// <param name="Model">Product name; empty for a card that its node has no more.</param>
/// <param name="Cores">Percent of compute; 100 is one whole card.</param>
public sealed record CardPicture(
    string Uuid, string Model, string Mode, long MemoryMiB, long UsedMemoryMiB, int Cores, int UsedCores, int Slots, int UsedSlots,
    bool Healthy, bool Cordoned, IReadOnlyList<HeldShare> Holders)
{
    /// <summary>True when the node has registered it.</summary>
    public bool IsRegistered => Model.Length > 0;

    internal static CardPicture Gone(string uuid, IReadOnlyList<HeldShare> holders) =>
        new(uuid, "", "", 0, holders.Sum(h => h.MemoryMiB), 0, holders.Sum(h => h.Cores), 0, holders.Count, false, false, holders);
}

/// <summary>A container's part of a card.</summary>
/// <param name="Mig">Profile and first memory slice of its MIG instance, such as <c>1g.5gb@6</c>; null on other cards.</param>
public sealed record HeldShare(
    string Namespace, string Pod, string PodUid, Guid AllocationId, string Container, long MemoryMiB, int Cores, string? Mig, AllocationPhase Phase, bool IsAdopted)
{
    internal static IReadOnlyList<HeldShare> Of(NodeLedger ledger, string deviceUuid) =>
    [
        .. from a in ledger.Allocations.Values
           from s in a.Held
           where s.DeviceUuid == deviceUuid
           orderby a.Namespace, a.Pod, a.PodUid, s.ContainerIndex
           select new HeldShare(
               a.Namespace, a.Pod, a.PodUid, a.Id, s.Container, s.MemoryMiB, s.Cores, s.Mig is { } m ? $"{m.Profile}@{m.Start}" : null, a.Phase, a.IsAdopted),
    ];
}

/// <summary>A pod that found no node yet.</summary>
/// <param name="Since">When it was last refused for other reasons than before.</param>
/// <param name="Why">One sentence.</param>
public sealed record WaitingPicture(string Namespace, string Pod, string PodUid, DateTimeOffset Since, string Why);
