using System.Collections.Concurrent;
using Hami.Api.Measuring;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Telemetry.V1;

namespace Hami.Api.Observing;

/// <summary>What all nodes have told this process. Nothing here is waited for by anybody who places pods.</summary>
public sealed class LiveTelemetry
{
    private readonly ConcurrentDictionary<string, NodeTelemetry> _nodes = new(StringComparer.Ordinal);
    private readonly ILedgerReader _ledger;
    private readonly TimeProvider _time;
    private int _series;

    internal LiveTelemetry(ILedgerReader ledger, TimeProvider time) => (_ledger, _time) = (ledger, time);

    internal IEnumerable<NodeTelemetry> Nodes => _nodes.Values;

    /// <summary>Series that are held in memory, of all nodes.</summary>
    internal int SeriesCount => Volatile.Read(ref _series);

    /// <summary>Takes a report in; the node is who it says it is.</summary>
    /// <exception cref="ReportRefusedException">Nothing of it can be used.</exception>
    /// <exception cref="TooManyReportsException">The node reports too often.</exception>
    internal ReportResponse Hear(ReportRequest report)
    {
        var (now, answer) = (_time.GetUtcNow(), new ReportResponse());
        var node = _nodes.GetOrAdd(report.Node, name => new(name));
        if (!node.MayReport(now))
            throw new TooManyReportsException();
        var moments = TelemetryReading.Read(report, now, answer.Refused);
        Meters.NotKeptOf("refused", report.Moments.Count - moments.Count);
        Meters.NotKeptOf("agent", node.GivenUp(report.Dropped));
        if (moments.Count > 0)
            node.Hear(TelemetryReading.Facts(report, answer.Refused), moments.Max(m => m.At));
        var (ledger, leftOut, before) = (_ledger.Ledger, 0, node.SeriesCount);
        foreach (var moment in moments)
        {
            var heard = node.Hear(moment, now, key => NamespaceOf(ledger, report.Node, key), MayGrow, ref leftOut);
            Meters.Told(heard is Heard.Taken);
            answer.Taken += heard is Heard.Taken ? 1u : 0;
        }
        Interlocked.Add(ref _series, node.SeriesCount - before);
        if (leftOut > 0)
        {
            Meters.NotKeptOf("series", leftOut);
            TelemetryReading.Say(
                answer.Refused,
                "Shares of pods that hold nothing on this node by the log are not taken, nor series beyond the limits (docs/telemetry.md).");
        }
        return answer;
    }

    /// <summary>What a node's cards and shares measured last; nothing when that is not known, or too long ago.</summary>
    internal IEnumerable<(UseKey Key, string Namespace, DateTimeOffset At, Measured Value)> NowOf(string node) =>
        Current(node)?.Now() ?? [];

    /// <summary>What a node told last of its driver and cards beside what they do; nothing when that is not known, or too long ago.</summary>
    internal HeardFacts FactsOf(string node) => Current(node)?.Facts ?? HeardFacts.None;

    /// <summary>What a node's cards measured in the latest moment up to one a few minutes ago; nothing when that is not known, or was too long before it.</summary>
    internal IEnumerable<(UseKey Key, DateTimeOffset At, Measured Value)> At(string node, DateTimeOffset at)
    {
        if (!_nodes.TryGetValue(node, out var known))
            return [];
        // The memory that a card has is not kept for each moment: it stays the same.
        var totals = known.Now().Where(n => n.Key.IsCard).ToDictionary(n => n.Key, n => n.Value.MemoryTotalBytes);
        var cells = known.Between(at - TelemetryLimits.Current, at.AddTicks(1)).Where(c => c.Key.IsCard).ToList();
        var latest = cells.Select(c => c.At).DefaultIfEmpty().Max();
        return cells.Where(c => c.At == latest).Select(c => (c.Key, c.At, c.Value with { MemoryTotalBytes = totals.GetValueOrDefault(c.Key) }));
    }

    /// <summary>What each card of a node measured last, by UUID.</summary>
    internal IReadOnlyDictionary<string, Measured> CardsOf(string node) =>
        NowOf(node).Where(n => n.Key.IsCard).DistinctBy(n => n.Key.DeviceUuid, StringComparer.Ordinal).ToDictionary(n => n.Key.DeviceUuid, n => n.Value, StringComparer.Ordinal);

    /// <summary>Forgets what nobody tells of any more.</summary>
    internal void Forget()
    {
        var (now, series) = (_time.GetUtcNow(), 0);
        foreach (var (name, node) in _nodes)
        {
            var left = node.Forget(now);
            series += left;
            if (left == 0 && node.HeardAt < now - TelemetryLimits.Late && node.Unwritten().Count == 0)
                _nodes.TryRemove(name, out _);
        }
        Volatile.Write(ref _series, series);
    }

    private NodeTelemetry? Current(string node) => _nodes.TryGetValue(node, out var known) && known.Latest >= _time.GetUtcNow() - TelemetryLimits.Current ? known : null;

    private bool MayGrow() => SeriesCount < TelemetryLimits.Series;

    // The log's word, not the node's: a node that lies can show nothing under the name of pods that are elsewhere.
    private static string? NamespaceOf(ClusterLedger ledger, string node, UseKey key) =>
        ledger.LiveByPod.TryGetValue(key.PodUid, out var live) && live.Node == node ? ledger.AllocationOf(key.PodUid)?.Namespace : null;
}

/// <summary>A node reports more often than any agent does.</summary>
internal sealed class TooManyReportsException() : Exception("This node reports too often: at most one report a second is looked at, and a few more after a silence.");
