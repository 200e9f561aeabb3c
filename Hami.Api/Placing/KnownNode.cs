using System.Text;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>A node that stays the same object while its state is swapped.</summary>
internal sealed class KnownNode(string name, Slot slot)
{
    private volatile Slot _slot = slot;
    private volatile bool _forgotten;

    public string Name { get; } = name;

    /// <summary>The name as it stands in a request.</summary>
    public ReadOnlySpan<byte> Utf8 => _utf8;

    private readonly byte[] _utf8 = Encoding.UTF8.GetBytes(name);

    public Slot Slot => _slot;

    /// <summary>Where the node stood in the offer before this one; only a hint.</summary>
    public int OfferedAt { get; set; }

    /// <summary>True once the node has left and nothing is known of it; should it return, it is another object.</summary>
    public bool IsForgotten
    {
        get => _forgotten;
        set => _forgotten = value;
    }

    public bool TrySwap(Slot after, Slot before) => ReferenceEquals(Interlocked.CompareExchange(ref _slot, after, before), before);

    public Slot Change(Func<Slot, Slot> change)
    {
        while (true)
        {
            var before = _slot;
            var after = change(before);
            if (TrySwap(after, before))
                return after;
        }
    }
}

/// <summary>The state of a node: what is taken by the log, and what is reserved.</summary>
internal sealed class Slot(NodeUse taken, IReadOnlyList<Reservation> reservations)
{
    public IReadOnlyList<Reservation> Reservations { get; } = reservations;

    /// <summary>Taken and reserved together.</summary>
    public NodeUse Use { get; } = reservations.Aggregate(taken, (use, r) => use.With(r.Shares));

    public DateTimeOffset NextExpiry { get; } = reservations.Count == 0 ? DateTimeOffset.MaxValue : reservations.Min(r => r.Expires);

    /// <summary>Taken is what the log says now; what these pods had reserved is among it.</summary>
    public Slot Taking(NodeUse now, IReadOnlySet<string> holders) => new(now.With(Use.Host), [.. Reservations.Where(r => !holders.Contains(r.Ask.Uid))]);

    public Slot With(HostRoom? host) => new(taken.With(host), Reservations);

    public Slot With(Reservation reservation) => new(taken, [.. Reservations.Where(r => r.Ask.Uid != reservation.Ask.Uid), reservation]);

    public Slot Without(Func<Reservation, bool> dropped) => new(taken, [.. Reservations.Where(r => !dropped(r))]);
}
