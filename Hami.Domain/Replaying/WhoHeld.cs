using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;

namespace Hami.Domain.Replaying;

/// <summary>What one pod held of a card, for a time in which that did not change.</summary>
/// <param name="Cores">Percent of one card.</param>
/// <param name="Until">Null while it is held.</param>
/// <param name="Ended">Why it ended, in a word of the log; null while it is held.</param>
public sealed record CardHolding(
    string Namespace, string Pod, string PodUid, Guid AllocationId, string Node, long MemoryMiB, int Cores, DateTimeOffset From, DateTimeOffset? Until,
    string? Ended, bool IsAdopted);

/// <summary>Who held a card, when, and how much of it.</summary>
public static class WhoHeld
{
    /// <summary>What was held at some moment from <paramref name="from"/> to <paramref name="to"/>, in order of its begin.</summary>
    /// <param name="log">Events of allocations in their order; others are passed over.</param>
    /// <param name="to">What had ended later is shown as ended all the same.</param>
    public static IReadOnlyList<CardHolding> Of(IEnumerable<Recorded> log, string deviceUuid, DateTimeOffset from, DateTimeOffset to)
    {
        var held = new Dictionary<Guid, (CardHolding Holding, IReadOnlyList<Share> Shares)>();
        var all = new List<CardHolding>();
        foreach (var (_, at, _, happened) in log)
        {
            switch (happened)
            {
                case AllocationPlaced e:
                    Begin(e.AllocationId, new(e.Namespace, e.Pod, e.PodUid, e.AllocationId, e.Node, 0, 0, at, null, null, false), e.Shares);
                    break;
                case AllocationAdopted e:
                    Begin(e.AllocationId, new(e.Namespace, e.Pod, e.PodUid, e.AllocationId, e.Node, 0, 0, at, null, null, true), e.Shares);
                    break;
                case AllocationShrunk e when held.TryGetValue(e.AllocationId, out var before):
                    Shrink(e.AllocationId, before.Holding, [.. before.Shares.Where(s => !s.EndsBeforeApps)], at);
                    break;
                case AllocationReleased e when held.Remove(e.AllocationId, out var before):
                    all.Add(before.Holding with { Until = at, Ended = e.Reason.ToString() });
                    break;
            }
        }
        all.AddRange(held.Values.Select(h => h.Holding));
        return [.. all.Where(h => h.From <= to && (h.Until is null || h.Until >= from)).OrderBy(h => h.From).ThenBy(h => h.AllocationId.ToString(), StringComparer.Ordinal)];

        void Begin(Guid id, CardHolding holding, IReadOnlyList<Share> shares)
        {
            if (!shares.Any(s => s.DeviceUuid == deviceUuid))
                return;
            var use = CardUse.Of(shares, deviceUuid);
            held[id] = (holding with { MemoryMiB = use.MemoryMiB, Cores = use.Cores }, shares);
        }

        void Shrink(Guid id, CardHolding holding, IReadOnlyList<Share> left, DateTimeOffset at)
        {
            var use = CardUse.Of(left, deviceUuid);
            if ((use.MemoryMiB, use.Cores) == (holding.MemoryMiB, holding.Cores))
                return;
            all.Add(holding with { Until = at, Ended = "Shrunk" });
            held.Remove(id);
            Begin(id, holding with { From = at }, left);
        }
    }
}
