namespace Hami.Domain.Reading;

/// <summary>What there is, and what is held of it, at one moment or as a change of that.</summary>
public readonly record struct Allocated(
    long Devices = 0, long MemoryMiB = 0, long Cores = 0, long Slots = 0, long UsedMemoryMiB = 0, long UsedCores = 0, long UsedSlots = 0, long Pods = 0)
{
    public static Allocated operator +(Allocated a, Allocated b) => new(
        a.Devices + b.Devices, a.MemoryMiB + b.MemoryMiB, a.Cores + b.Cores, a.Slots + b.Slots, a.UsedMemoryMiB + b.UsedMemoryMiB, a.UsedCores + b.UsedCores, a.UsedSlots + b.UsedSlots,
        a.Pods + b.Pods);

    public static Allocated operator -(Allocated a) =>
        new(-a.Devices, -a.MemoryMiB, -a.Cores, -a.Slots, -a.UsedMemoryMiB, -a.UsedCores, -a.UsedSlots, -a.Pods);
}

/// <summary>A time in which a card was not among its node's cards.</summary>
public sealed record CardGap(string Node, string Uuid, DateTimeOffset From, DateTimeOffset Until);

/// <summary>Adds up what was there at moments that are a step apart; what happened at a moment counts.</summary>
public sealed class AllocatedSteps(DateTimeOffset from, TimeSpan step, int count)
{
    private readonly Allocated[] _changes = new Allocated[count];

    /// <summary>The last moment.</summary>
    public DateTimeOffset Last => from + (count - 1) * step;

    /// <summary>It was there from a time until another, or still is.</summary>
    public void Add(Allocated what, DateTimeOffset begin, DateTimeOffset? end)
    {
        var (first, after) = (IndexOf(begin), end is { } e ? IndexOf(e) : count);
        if (first >= after)
            return;
        _changes[first] += what;
        if (after < count)
            _changes[after] += -what;
    }

    /// <summary>Takes the sizes of one card in, and says when, as far as these moments show it, it was not there.</summary>
    /// <param name="sizes">In their order.</param>
    public IEnumerable<CardGap> AddCard(string node, string uuid, IEnumerable<CardSizeRow> sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        var gaps = new List<CardGap>();
        var known = from;
        foreach (var size in sizes)
        {
            Add(new(1, size.MemoryMiB, size.Cores, size.Slots), size.SizedFrom, size.SizedUntil);
            AddGap(known, size.SizedFrom);
            known = size.SizedUntil ?? DateTimeOffset.MaxValue;
        }
        AddGap(known, DateTimeOffset.MaxValue);
        return gaps;

        void AddGap(DateTimeOffset begin, DateTimeOffset end)
        {
            if (begin <= Last && IndexOf(begin) < IndexOf(end))
                gaps.Add(new(node, uuid, begin, end));
        }
    }

    /// <summary>What was there at each of the moments.</summary>
    public IEnumerable<(DateTimeOffset At, Allocated What)> Points()
    {
        var sum = default(Allocated);
        for (var i = 0; i < count; i++)
        {
            sum += _changes[i];
            yield return (from + i * step, sum);
        }
    }

    /// <summary>The first moment that is not before a time; their number when none is.</summary>
    private int IndexOf(DateTimeOffset at) => at <= from ? 0 : at > Last ? count : (int)((at - from + step - TimeSpan.FromTicks(1)).Ticks / step.Ticks);
}
