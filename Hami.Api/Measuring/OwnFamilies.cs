using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Telling;

namespace Hami.Api.Measuring;

/// <summary>What is known of this process when it is asked: its build, the log, what waits.</summary>
internal sealed class OwnFamilies(Journal journal, Readiness readiness, PodEvents events, ProjectionLag lag)
{
    public void Write(Exposition to)
    {
        var build = BuildFacts.Here;
        to.Gauges("hami_build_info", "Which build this is.", "", "version", "revision", "build_date", "go_version", "compiler", "platform");
        to.Sample(1, build.Version, build.Revision, build.BuildDate, build.Runtime, build.Compiler, build.Platform);

        to.Gauges("hami_ready", "1 when pods can be placed and bound.", "");
        to.Sample(readiness.WhyNot is null ? 1 : 0);
        to.Gauges("hami_log_position", "Sequence of the last event folded.", "");
        to.Sample(journal.Ledger.Position);
        to.Gauges("hami_log_follower_lag_events", "Events that a read model is behind the log.", "", "follower");
        foreach (var (follower, position) in lag.Positions)
            to.Sample(Math.Max(journal.Ledger.Position - position, 0), follower);
        to.Gauges("hami_pods_waiting", "Pods that found no node and still wait.", "");
        to.Sample(journal.Ledger.Waiting.Count);
        to.Gauges("hami_allocations", "Allocations that are live.", "");
        to.Sample(journal.Ledger.LiveByPod.Count);
        to.Counters("hami_pod_events_dropped_total", "Kubernetes events on pods that were not sent: too many at once, or refused.");
        to.Sample(events.Dropped);
    }
}
