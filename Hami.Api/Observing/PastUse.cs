using Hami.Api.Asking;

namespace Hami.Api.Observing;

/// <summary>What cards did at a moment of the past: a few minutes ago as it was measured, else on average over the five minutes of the moment.</summary>
public sealed class PastUse
{
    private readonly LiveTelemetry _live;
    private readonly Rows _rows;
    private readonly TimeProvider _time;
    private volatile bool _isThere;

    internal PastUse(LiveTelemetry live, Rows rows, TimeProvider time) => (_live, _rows, _time) = (live, rows, time);

    /// <summary>The use of the cards of one page: read for all of them at once when one is asked for.</summary>
    internal PageUse At(DateTimeOffset at, IReadOnlyCollection<(string Node, string Uuid)> cards) => new(cancellationToken => ReadAsync(at, cards, cancellationToken));

    private async Task<ILookup<string, MeasuredThen>> ReadAsync(DateTimeOffset at, IReadOnlyCollection<(string Node, string Uuid)> cards, CancellationToken cancellationToken)
    {
        var inMemory = at < _time.GetUtcNow() - TelemetryLimits.Ring
            ? []
            : cards.Select(c => c.Node).Distinct(StringComparer.Ordinal).SelectMany(node => _live.At(node, at).Select(m => new MeasuredThen(node, m.Key, m.At, m.Value))).ToList();
        var told = inMemory.Select(m => m.Node).ToHashSet(StringComparer.Ordinal);
        var others = cards.Where(c => !told.Contains(c.Node)).ToList();
        var summed = others.Count > 0 && await IsThereAsync(cancellationToken) ? await SummedAsync(at, others, cancellationToken) : [];
        return inMemory.Concat(summed).ToLookup(m => m.Node, StringComparer.Ordinal);
    }

    private Task<List<MeasuredThen>> SummedAsync(DateTimeOffset at, List<(string Node, string Uuid)> cards, CancellationToken cancellationToken)
    {
        var values = new Conditions();
        var (nodes, uuids) = (values.Parameter(cards.Select(c => c.Node).ToArray()), values.Parameter(cards.Select(c => c.Uuid).ToArray()));
        return _rows.ReadAsync(
            $"""
            select {TelemetryTables.Selected(ofCards: true)} from unnest({nodes}, {uuids}) c(node, device_uuid)
            join {TelemetryTables.Series} s on s.node = c.node and s.device_uuid = c.device_uuid and s.pod_uid = '' and s.container = ''
            join {TelemetryTables.Cards} u on u.series = s.id and u.period = {values.Parameter(NodeTelemetry.PeriodOf(at))}
            """,
            values, r => Average(TelemetryTables.Row(r)), cancellationToken);
    }

    private static MeasuredThen Average(UseRow row) => new(row.Key.Node, row.Key.Series, row.Key.Period, new(
        (int?)Rounded(row.Sums.Busy), Rounded(row.Sums.Memory), row.Sums.MemoryTotal > 0 ? row.Sums.MemoryTotal : null, (int?)Rounded(row.Sums.Temperature), Rounded(row.Sums.Power)));

    private static long? Rounded(Sum sum) => sum.Average is { } average ? (long)Math.Round(average) : null;

    private async Task<bool> IsThereAsync(CancellationToken cancellationToken) =>
        _isThere = _isThere || (await _rows.ReadAsync($"select to_regclass('{TelemetryTables.Cards}') is not null", new(), r => r.GetBoolean(0), cancellationToken))[0];
}

/// <summary>What was measured of a card at a moment.</summary>
internal sealed record MeasuredThen(string Node, UseKey Key, DateTimeOffset At, Measured Value);

/// <summary>What the cards of one page did at a moment of the past.</summary>
internal sealed class PageUse(Func<CancellationToken, Task<ILookup<string, MeasuredThen>>> read)
{
    private readonly Lock _gate = new();
    private Task<ILookup<string, MeasuredThen>>? _reading;

    /// <summary>Of a card, or of all cards of a node; null when that is not known.</summary>
    public async Task<CardsUsage?> OfAsync(string node, string? uuid, CancellationToken cancellationToken)
    {
        Task<ILookup<string, MeasuredThen>> reading;
        lock (_gate)
            reading = _reading ??= read(cancellationToken);
        return CardsUsage.Of((await reading)[node].Where(m => uuid is null || m.Key.DeviceUuid == uuid).Select(m => (m.Key, "", m.At, m.Value)));
    }
}
