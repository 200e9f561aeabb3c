using Hami.Domain.Ledger;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Domain.Placing;

/// <summary>A node as placement sees it: its cards and what is taken of each; never changed, only replaced.</summary>
public sealed class NodeUse
{
    // A node rarely has more; the scratch arrays of a larger one go to the heap.
    internal const int CommonCards = 16;

    private readonly NodeCards _of;
    private readonly CardUse[] _uses;
    private readonly CardRoom[] _rooms;
    private readonly MigHolders? _holders;
    private volatile FragmentationScores? _found;

    private NodeUse(NodeCards of, CardUse[] uses, HostRoom? host, MigHolders? holders)
    {
        _of = of;
        _holders = holders;
        _uses = uses;
        Host = host;
        _rooms = new CardRoom[uses.Length];
        for (var i = 0; i < uses.Length; i++)
            _rooms[i] = CardRoom.Of(of.Cards[i], uses[i], of.Cordoned[i]);
        Score = Placing.Score.Node(this);
    }

    public string Name => _of.Name;

    public ReadOnlySpan<Card> Cards => _of.Cards;

    public ReadOnlySpan<CardUse> Uses => _uses;

    /// <summary>CPU and memory of the node's own that are free; null when unknown.</summary>
    public HostRoom? Host { get; }

    /// <summary>How full the node is: see <see cref="Placing.Score.Node"/>.</summary>
    public double Score { get; }

    /// <summary>True when some card is cut into MIG instances.</summary>
    internal bool HasMig => _of.HasMig;

    internal ReadOnlySpan<CardRoom> Rooms => _rooms;

    /// <summary>What was found out about this state of the node before.</summary>
    internal FragmentationScores Found(FragmentationPolicy policy)
    {
        var found = _found;
        if (found?.Policy != policy)
            _found = found = new(policy);
        return found;
    }

    /// <summary>What the ledger says is taken.</summary>
    public static NodeUse Of(string name, NodeLedger ledger, HostRoom? host = null)
    {
        var cards = new NodeCards(name, ledger);
        var uses = new CardUse[cards.Cards.Length];
        var overlap = false;
        foreach (var allocation in ledger.Allocations.Values)
            overlap |= Add(cards.Cards, uses, allocation.Held);
        return new(cards, uses, host, cards.HasMig ? new(ledger.Allocations.Values, overlap) : null);
    }

    public NodeUse With(IReadOnlyList<Share> shares)
    {
        var uses = (CardUse[])_uses.Clone();
        var overlap = Add(_of.Cards, uses, shares);
        return new(_of, uses, Host, _holders?.With(shares, overlap));
    }

    /// <summary>The node without what one pod takes of it.</summary>
    public NodeUse Without(IReadOnlyList<Share> shares)
    {
        var uses = (CardUse[])_uses.Clone();
        for (var i = 0; i < uses.Length; i++)
            uses[i] -= UseOf(_of.Cards[i], shares);
        var holders = _holders?.Without(shares);
        // Two adopted pods may say that they hold one slice, and one that does not say which holds all: what remains is added up anew.
        if (holders is { Overlap: true })
            RecountSlices(uses, holders);
        return new(_of, uses, Host, holders);
    }

    public NodeUse With(HostRoom? host) => new(_of, _uses, host, _holders);

    /// <summary>True when an admin took the card out of placement.</summary>
    internal bool IsCordoned(int card) => _of.Cordoned[card];

    /// <summary>Pair score of two cards, as the first one's list has it; 0 when unknown.</summary>
    internal int Link(int from, int to) => _of.Links is { } links ? links[(from * _uses.Length) + to] : 0;

    /// <summary>Adds what the shares of one pod take of each card; true when somebody else has one of its MIG slices already.</summary>
    internal static bool Add(Card[] cards, CardUse[] uses, IReadOnlyList<Share> shares)
    {
        var overlap = false;
        for (var i = 0; i < cards.Length; i++)
        {
            // Most shares are of other cards.
            if (!CardUse.IsAnyOf(shares, cards[i].Uuid))
                continue;
            var use = UseOf(cards[i], shares);
            overlap |= (uses[i].Mig & use.Mig) != 0;
            uses[i] += use;
        }
        return overlap;
    }

    private void RecountSlices(CardUse[] uses, MigHolders holders)
    {
        var remaining = holders.Remaining();
        for (var i = 0; i < uses.Length; i++)
        {
            var slices = 0UL;
            foreach (var shares in remaining)
                slices |= UseOf(_of.Cards[i], shares).Mig;
            uses[i] = uses[i] with { Mig = slices };
        }
    }

    private static CardUse UseOf(Card card, IReadOnlyList<Share> shares)
    {
        var use = CardUse.Of(shares, card.Uuid);
        // An adopted pod does not always tell where its MIG instance is: it may be anywhere, so nothing more is cut out of the card.
        return card.IsMig && shares.Any(s => s.Mig is null && s.DeviceUuid == card.Uuid) ? use with { Mig = ulong.MaxValue } : use;
    }

    /// <summary>What stays the same while pods come and go.</summary>
    private sealed class NodeCards
    {
        public NodeCards(string name, NodeLedger ledger)
        {
            Name = name;
            Cards = [.. ledger.Cards];
            Cordoned = [.. Cards.Select(c => ledger.Cordoned.Contains(c.Uuid))];
            HasMig = Cards.Any(c => c.IsMig);
            Links = ledger.Links.Count == 0 ? null : Matrix(ledger.Links);
        }

        public string Name { get; }

        public Card[] Cards { get; }

        public bool[] Cordoned { get; }

        public bool HasMig { get; }

        public int[]? Links { get; }

        private int[] Matrix(IReadOnlyList<CardLink> links)
        {
            var matrix = new int[Cards.Length * Cards.Length];
            foreach (var link in links)
            {
                var (from, to) = (IndexOf(link.From), IndexOf(link.To));
                if (from >= 0 && to >= 0)
                    matrix[(from * Cards.Length) + to] = link.Score;
            }
            return matrix;
        }

        private int IndexOf(string uuid) => Array.FindIndex(Cards, c => c.Uuid == uuid);
    }
}
