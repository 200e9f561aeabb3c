using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Telling;

namespace Hami.Api.Measuring;

/// <summary>What is known of this process when it is asked: its build, the log, what waits.</summary>
internal sealed class OwnFamilies(
    Journal journal, Readiness readiness, PodEvents events, ProjectionLag lag, ClusterView view, LiveTelemetry telemetry, TelemetryRollups rollups, TimeProvider time)
{
    public IEnumerable<Family> Now()
    {
        var (build, ledger) = (BuildFacts.Here, journal.Ledger);
        yield return new(
            "hami_build_info", "Which build this is.", ["version", "revision", "build_date", "go_version", "compiler", "platform"],
            [new(1, build.Version, build.Revision, build.BuildDate, build.Runtime, build.Compiler, build.Platform)]);
        yield return One("hami_ready", "1 when pods can be placed and bound.", readiness.WhyNot is null ? 1 : 0);
        yield return One("hami_log_position", "Sequence of the last event folded.", ledger.Position);
        yield return new(
            "hami_log_follower_lag_events", "Events that a read model is behind the log.", ["follower"],
            lag.Positions.Select(p => new Sample(Math.Max(ledger.Position - p.Position, 0), p.Follower)));
        yield return One("hami_pods_waiting", "Pods that found no node and still wait.", ledger.Waiting.Count);
        yield return One("hami_reservations", "Pods whose cards are set aside until they are bound.", view.Reservations);
        yield return One("hami_allocations", "Allocations that are live.", ledger.LiveByPod.Count);
        yield return One("hami_pod_events_dropped_total", "Kubernetes events on pods that were not sent: too many at once, or refused.", events.Dropped) with { Type = "counter" };
        foreach (var family in Telemetry())
            yield return family;
    }

    private IEnumerable<Family> Telemetry()
    {
        var (now, nodes) = (time.GetUtcNow(), telemetry.Nodes.Where(n => n.HeardAt > DateTimeOffset.MinValue).ToList());
        yield return One("hami_telemetry_nodes", "Nodes whose agents told this process something within the last minute.", nodes.Count(n => n.HeardAt >= now - TelemetryLimits.Current));
        yield return new(
            "hami_telemetry_report_age_seconds", "Time since a node's agent last told this process something.", ["node"], nodes.Select(n => new Sample((now - n.HeardAt).TotalSeconds, n.Name)));
        yield return One("hami_telemetry_series", "Cards and shares whose last minutes are held in memory.", telemetry.SeriesCount);
        yield return One("hami_telemetry_unwritten_sums", "Sums of periods that are over and wait for PostgreSQL.", rollups.Waiting);
    }

    private static Family One(string name, string help, double value) => new(name, help, [], [new(value)]);
}
