using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Telling;

namespace Hami.Api.Measuring;

/// <summary>What is known of this process when it is asked: its build, the log, what waits.</summary>
internal sealed class OwnFamilies(Journal journal, Readiness readiness, PodEvents events, ProjectionLag lag, ClusterView view)
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
    }

    private static Family One(string name, string help, double value) => new(name, help, [], [new(value)]);
}
