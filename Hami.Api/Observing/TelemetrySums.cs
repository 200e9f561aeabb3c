using System.Globalization;
using System.Numerics;

namespace Hami.Api.Observing;

/// <summary>The seconds of a period in which something was measured: what makes adding up the same twice harmless.</summary>
internal readonly record struct SeenSeconds
{
    private const int Words = 5; // 300 bits

    private readonly UInt128 _low;
    private readonly UInt128 _middle;
    private readonly ulong _high;

    private SeenSeconds(UInt128 low, UInt128 middle, ulong high) => (_low, _middle, _high) = (low, middle, high);

    public int Count => (int)(UInt128.PopCount(_low) + UInt128.PopCount(_middle)) + BitOperations.PopCount(_high);

    public static SeenSeconds operator |(SeenSeconds a, SeenSeconds b) => new(a._low | b._low, a._middle | b._middle, a._high | b._high);

    public bool Has(int second) => (this | One(second)) == this;

    public SeenSeconds With(int second) => this | One(second);

    /// <summary>Whether all of the other's seconds are among these.</summary>
    public bool Covers(SeenSeconds other) => (this | other) == this;

    /// <summary>300 digits 0 or 1, as PostgreSQL's <c>bit(300)</c> is written.</summary>
    public override string ToString() => string.Create(TelemetryLimits.Seconds, this, static (text, seen) =>
    {
        for (var i = 0; i < text.Length; i++)
            text[i] = seen.Has(i) ? '1' : '0';
    });

    public static SeenSeconds Parse(string text) => text.Index().Where(t => t.Item == '1').Aggregate(default(SeenSeconds), (seen, t) => seen.With(t.Index));

    private static SeenSeconds One(int second) => second switch
    {
        < 0 or >= Words * 60 => throw new ArgumentOutOfRangeException(nameof(second), second, "A period has 300 seconds."),
        < 128 => new(UInt128.One << second, 0, 0),
        < 256 => new(0, UInt128.One << (second - 128), 0),
        _ => new(0, 0, 1UL << (second - 256)),
    };
}

/// <summary>One measure over a period: its average is the sum by the count; with a count of 0 it is not known.</summary>
internal readonly record struct Sum(long Total, int Count, long Max)
{
    public double? Average => Count == 0 ? null : (double)Total / Count;

    public Sum With(long? value) => value is { } v ? new(Total + v, Count + 1, Count == 0 ? v : Math.Max(Max, v)) : this;

    public static Sum operator +(Sum a, Sum b) => a.Count == 0 ? b : b.Count == 0 ? a : new(a.Total + b.Total, a.Count + b.Count, Math.Max(a.Max, b.Max));
}

/// <summary>A counter's values at the first and the last second of a period that knew it; the seconds are -1 where none did.</summary>
internal readonly record struct Counter(long First, int FirstSecond, long Last, int LastSecond)
{
    public static readonly Counter None = new(0, -1, 0, -1);

    public bool IsKnown => FirstSecond >= 0;

    public Counter With(long? value, int second) => value is { } v ? this + new Counter(v, second, v, second) : this;

    /// <summary>By how much it rose: since the value before where that is known; from zero where the driver was loaded anew.</summary>
    public long? Rise(long? before) => !IsKnown ? null : Last >= (before ?? First) ? Last - (before ?? First) : Last;

    public static Counter operator +(Counter a, Counter b)
    {
        if (!a.IsKnown || !b.IsKnown)
            return a.IsKnown ? a : b;
        var (first, last) = (b.FirstSecond < a.FirstSecond ? b : a, b.LastSecond > a.LastSecond ? b : a);
        return new(first.First, first.FirstSecond, last.Last, last.LastSecond);
    }
}

/// <summary>All that was measured of one series in one period.</summary>
/// <param name="Moments">How many moments of its node are summed up: fewer were of a series that was there for a part of them.</param>
internal sealed record UseSums(SeenSeconds Seen, int Moments, Sum Busy, Sum Memory, long MemoryTotal, Sum Temperature, Sum Power, Counter Energy)
{
    public static readonly UseSums None = new(default, 0, default, default, 0, default, default, Counter.None);

    public UseSums With(Measured value, int second) => this with
    {
        Seen = Seen.With(second), Busy = Busy.With(value.Busy), Memory = Memory.With(value.MemoryBytes), MemoryTotal = Math.Max(MemoryTotal, value.MemoryTotalBytes ?? 0),
        Temperature = Temperature.With(value.TemperatureCelsius), Power = Power.With(value.PowerMilliwatt), Energy = Energy.With(value.EnergyMillijoule, second),
    };

    /// <summary>What two writers have summed up, as the database merges it too.</summary>
    /// <remarks>
    /// A process writes each moment once, so its rows of one period are of different seconds, as are those of two processes unless an agent
    /// told a moment to both: it was answered by neither. Rows whose seconds are all there already are the same written again, and change
    /// nothing. Where only some are there they count twice in the average, which stays between least and most; to keep only the row with
    /// more would lose up to half the period instead.
    /// </remarks>
    public UseSums Merge(UseSums other) => Seen.Covers(other.Seen)
        ? this
        : new(
            Seen | other.Seen, Moments + other.Moments, Busy + other.Busy, Memory + other.Memory, Math.Max(MemoryTotal, other.MemoryTotal), Temperature + other.Temperature,
            Power + other.Power, Energy + other.Energy);
}

/// <summary>Where a row of sums stands.</summary>
internal readonly record struct UseRowKey(DateTimeOffset Period, string Node, UseKey Series);

/// <summary>A row of sums.</summary>
/// <param name="Namespace">Of the pod; empty for a card.</param>
internal sealed record UseRow(UseRowKey Key, string Namespace, UseSums Sums)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Key} {Namespace} {Sums}");
}
