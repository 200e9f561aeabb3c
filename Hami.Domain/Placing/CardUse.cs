using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>What is taken of one card.</summary>
public readonly record struct CardUse(int Slots, int Cores, long MemoryMiB)
{
    public static CardUse operator +(CardUse a, CardUse b) => new(a.Slots + b.Slots, a.Cores + b.Cores, a.MemoryMiB + b.MemoryMiB);

    public static CardUse operator -(CardUse a, CardUse b) => new(a.Slots - b.Slots, a.Cores - b.Cores, a.MemoryMiB - b.MemoryMiB);

    /// <summary>
    /// What the shares of one pod take of one card: init containers run one after another before the app containers, so
    /// the pod takes the larger of their largest and the apps' sum.
    /// </summary>
    public static CardUse Of(IReadOnlyList<Share> shares, string deviceUuid)
    {
        int initSlots = 0, initCores = 0;
        long initMemory = 0;
        var apps = default(CardUse);
        for (var i = 0; i < shares.Count; i++)
        {
            var share = shares[i];
            if (share.DeviceUuid != deviceUuid)
                continue;
            if (share.EndsBeforeApps)
            {
                initSlots = 1;
                initCores = Math.Max(initCores, share.Cores);
                initMemory = Math.Max(initMemory, share.MemoryMiB);
            }
            else
            {
                apps += new CardUse(1, share.Cores, share.MemoryMiB);
            }
        }
        return new(Math.Max(initSlots, apps.Slots), Math.Max(initCores, apps.Cores), Math.Max(initMemory, apps.MemoryMiB));
    }
}

/// <summary>A node as placement sees it: its cards and what is taken of each; never changed, only replaced.</summary>
public sealed class NodeUse
{
    private readonly Card[] _cards;
    private readonly CardUse[] _uses;

    private NodeUse(string name, Card[] cards, CardUse[] uses)
    {
        Name = name;
        _cards = cards;
        _uses = uses;
    }

    public string Name { get; }

    public ReadOnlySpan<Card> Cards => _cards;

    public ReadOnlySpan<CardUse> Uses => _uses;

    /// <summary>What the ledger says is taken, without the shares of <paramref name="exceptPodUid"/>.</summary>
    public static NodeUse Of(string name, NodeLedger ledger, string? exceptPodUid = null)
    {
        var use = new NodeUse(name, [.. ledger.Cards], new CardUse[ledger.Cards.Count]);
        foreach (var allocation in ledger.Allocations.Values)
        {
            if (allocation.PodUid != exceptPodUid)
                use.Add(use._uses, allocation.Shares);
        }
        return use;
    }

    public NodeUse With(IReadOnlyList<Share> shares)
    {
        var uses = (CardUse[])_uses.Clone();
        Add(uses, shares);
        return new(Name, _cards, uses);
    }

    public NodeUse Without(IReadOnlyList<Share> shares)
    {
        var uses = (CardUse[])_uses.Clone();
        for (var i = 0; i < _cards.Length; i++)
            uses[i] -= CardUse.Of(shares, _cards[i].Uuid);
        return new(Name, _cards, uses);
    }

    private void Add(CardUse[] uses, IReadOnlyList<Share> shares)
    {
        for (var i = 0; i < _cards.Length; i++)
            uses[i] += CardUse.Of(shares, _cards[i].Uuid);
    }
}
