namespace Hami.Api.Observing;

/// <summary>What came of a moment that was told.</summary>
internal enum Heard
{
    /// <summary>It was new.</summary>
    Taken,

    /// <summary>It was told before, or another of the same second was.</summary>
    Known,
}

/// <summary>What one node has told: its last minutes, and sums of what is not written yet.</summary>
internal sealed class NodeTelemetry(string name)
{
    // Those in which a moment may still come: late, this one, and one that a clock ahead of ours has begun.
    private static readonly int Open = (int)(TelemetryLimits.Late / TelemetryLimits.Period) + 2;

    private readonly Lock _gate = new();
    private readonly long[] _cells = [.. Enumerable.Repeat(-1L, TelemetryLimits.Cells)];
    private readonly Dictionary<UseKey, Series> _series = [];
    private readonly SortedDictionary<DateTimeOffset, OpenPeriod> _periods = [];
    private DateTimeOffset _latest = DateTimeOffset.MinValue;
    private double _tokens = TelemetryLimits.Burst;
    private DateTimeOffset _filled = DateTimeOffset.MinValue;
    private ulong _givenUp;
    private (DateTimeOffset At, HeardFacts Facts) _facts = (DateTimeOffset.MinValue, HeardFacts.None);

    public string Name => name;

    /// <summary>When it was last heard of, by our clock.</summary>
    public DateTimeOffset HeardAt { get; private set; } = DateTimeOffset.MinValue;

    /// <summary>Time of its latest moment, by its own clock.</summary>
    public DateTimeOffset Latest
    {
        get
        {
            lock (_gate)
                return _latest;
        }
    }

    public int SeriesCount
    {
        get
        {
            lock (_gate)
                return _series.Count;
        }
    }

    /// <summary>Whether one more report may be looked at now.</summary>
    public bool MayReport(DateTimeOffset now)
    {
        lock (_gate)
        {
            _tokens = _filled == DateTimeOffset.MinValue ? TelemetryLimits.Burst : Math.Min(TelemetryLimits.Burst, _tokens + Math.Max(0, (now - _filled).TotalSeconds));
            _filled = now;
            if (_tokens < 1)
                return false;
            _tokens--;
            return true;
        }
    }

    /// <summary>How many moments more its agent has given up, which says how many since it started.</summary>
    public ulong GivenUp(ulong sinceItStarted)
    {
        lock (_gate)
        {
            // One that was started anew begins at zero.
            var more = sinceItStarted >= _givenUp ? sinceItStarted - _givenUp : sinceItStarted;
            _givenUp = sinceItStarted;
            return more;
        }
    }

    /// <summary>Takes a moment in, unless it is known.</summary>
    /// <param name="namespaceOf">The namespace of a share that may be told of here; null for another, which is left out.</param>
    /// <param name="mayGrow">Asked before a series is added.</param>
    /// <param name="leftOut">How many values were of series that were not taken.</param>
    public Heard Hear(HeardMoment moment, DateTimeOffset now, Func<UseKey, string?> namespaceOf, Func<bool> mayGrow, ref int leftOut)
    {
        lock (_gate)
        {
            HeardAt = now;
            var period = PeriodOf(moment.At);
            if (!_periods.TryGetValue(period, out var open))
                _periods[period] = open = new();
            while (_periods.Count > Open && _periods.First() is { Value.Rows.Count: 0 } oldest)
                _periods.Remove(oldest.Key);
            var second = (int)(moment.At - period).TotalSeconds;
            if (open.Seen.Has(second))
                return Heard.Known;
            open.Seen = open.Seen.With(second);
            open.Moments++;

            var place = Place(moment.At);
            if (moment.At > _latest)
                _latest = moment.At;
            foreach (var (key, value) in moment.Values)
            {
                if (Find(key, namespaceOf, mayGrow) is not { } series)
                {
                    leftOut++;
                    continue;
                }
                if (place >= 0)
                    series.Ring.Set(place, value);
                if (moment.At >= series.At)
                    (series.At, series.Value) = (moment.At, value);
                open.Rows[key] = (series.Namespace, open.Rows.TryGetValue(key, out var sums) ? sums.Sums.With(value, second) : UseSums.None.With(value, second));
            }
            return Heard.Taken;
        }
    }

    /// <summary>Takes in what a report tells beside its moments, unless something later is known.</summary>
    /// <param name="at">Its latest moment.</param>
    public void Hear(HeardFacts facts, DateTimeOffset at)
    {
        lock (_gate)
            _facts = at >= _facts.At ? (at, facts) : _facts;
    }

    /// <summary>What was told last beside the moments.</summary>
    public HeardFacts Facts
    {
        get
        {
            lock (_gate)
                return _facts.Facts;
        }
    }

    /// <summary>What its series measured in its latest moment.</summary>
    public IReadOnlyList<(UseKey Key, string Namespace, DateTimeOffset At, Measured Value)> Now()
    {
        lock (_gate)
            return [.. _series.Where(s => s.Value.At == _latest).Select(s => (s.Key, s.Value.Namespace, s.Value.At, s.Value.Value))];
    }

    /// <summary>What was measured in each cell of a time that is still in the ring.</summary>
    public IReadOnlyList<(DateTimeOffset At, UseKey Key, string Namespace, Measured Value)> Between(DateTimeOffset begin, DateTimeOffset end)
    {
        lock (_gate)
        {
            return
            [
                .. from place in Enumerable.Range(0, _cells.Length)
                   let at = DateTimeOffset.UnixEpoch + _cells[place] * TelemetryLimits.Cell
                   where _cells[place] >= 0 && at >= begin && at < end
                   from series in _series
                   let value = series.Value.Ring.Get(place)
                   where value is not null
                   select (at, series.Key, series.Value.Namespace, value.Value),
            ];
        }
    }

    /// <summary>Sums that are not written yet.</summary>
    public IReadOnlyList<UseRow> Unwritten()
    {
        lock (_gate)
            return [.. _periods.SelectMany(p => RowsOf(p.Key, p.Value))];
    }

    /// <summary>Takes out the sums of periods that began before, to be written; what is told of them later is in another row.</summary>
    public IReadOnlyList<UseRow> Take(DateTimeOffset before)
    {
        lock (_gate)
        {
            var taken = new List<UseRow>();
            foreach (var (period, open) in _periods.Where(p => p.Key < before && p.Value.Rows.Count > 0))
            {
                taken.AddRange(RowsOf(period, open));
                open.Rows.Clear();
                open.Moments = 0;
            }
            return taken;
        }
    }

    /// <summary>Forgets series that nobody told of for as long as the ring lasts; answers with how many are left.</summary>
    public int Forget(DateTimeOffset now)
    {
        lock (_gate)
        {
            foreach (var (key, series) in _series.Where(s => s.Value.At < now - TelemetryLimits.Ring).ToList())
                _series.Remove(key);
            foreach (var (period, open) in _periods.Where(p => p.Key + TelemetryLimits.Period < now - TelemetryLimits.Late).ToList())
                if (open.Rows.Count == 0)
                    _periods.Remove(period);
            return _series.Count;
        }
    }

    internal static DateTimeOffset PeriodOf(DateTimeOffset at) => new(at.UtcTicks - at.UtcTicks % TelemetryLimits.Period.Ticks, TimeSpan.Zero);

    private IEnumerable<UseRow> RowsOf(DateTimeOffset period, OpenPeriod open) =>
        open.Rows.Select(r => new UseRow(new(period, name, r.Key), r.Value.Namespace, r.Value.Sums with { Moments = open.Moments }));

    /// <summary>The place of a moment's cell, emptied of what it held before; -1 for one that is older than what it holds.</summary>
    private int Place(DateTimeOffset at)
    {
        var cell = (at - DateTimeOffset.UnixEpoch).Ticks / TelemetryLimits.Cell.Ticks;
        var place = (int)(cell % _cells.Length);
        if (_cells[place] > cell)
            return -1;
        if (_cells[place] < cell)
        {
            foreach (var series in _series.Values)
                series.Ring.Clear(place);
            _cells[place] = cell;
        }
        return place;
    }

    private Series? Find(UseKey key, Func<UseKey, string?> namespaceOf, Func<bool> mayGrow)
    {
        if (_series.TryGetValue(key, out var known))
            return known;
        var most = key.IsCard ? TelemetryLimits.CardsOfANode : TelemetryLimits.SharesOfANode;
        if (_series.Keys.Count(k => k.IsCard == key.IsCard) >= most)
            return null;
        if ((key.IsCard ? "" : namespaceOf(key)) is not { } @namespace || !mayGrow())
            return null;
        return _series[key] = new(new(key.IsCard), @namespace);
    }

    private sealed class Series(TelemetryRing ring, string @namespace)
    {
        public TelemetryRing Ring => ring;

        public string Namespace => @namespace;

        public DateTimeOffset At { get; set; } = DateTimeOffset.MinValue;

        public Measured Value { get; set; }
    }

    private sealed class OpenPeriod
    {
        public SeenSeconds Seen { get; set; }

        /// <summary>Those summed up since rows were last taken.</summary>
        public int Moments { get; set; }

        public Dictionary<UseKey, (string Namespace, UseSums Sums)> Rows { get; } = [];
    }
}
