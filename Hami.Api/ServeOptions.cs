using Hami.Api.Access;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Api.Plumbing.Listening;
using Hami.Api.Placing;
using Hami.Api.Replaying;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Domain.Protocol;

namespace Hami.Api;

/// <summary>How <c>hami-api serve</c> was asked to run.</summary>
/// <param name="Postgres">Npgsql connection string of the database that holds the log.</param>
/// <param name="LegacyMetrics">Whether metrics also appear under the names of HAMi before v2.9.</param>
/// <param name="Profiling">Whether diagnostics can be asked for.</param>
/// <param name="Idle">Flags that were given and change nothing here.</param>
/// <param name="Heads">Where the log's head is exported to; null for nowhere.</param>
internal sealed record ServeOptions(
    ListenOptions Listen, ClusterOptions Cluster, PlacementOptions Placement, ResultOptions Results, AccessOptions Access, string Postgres, bool LegacyMetrics, bool Profiling,
    IReadOnlyList<string> Idle, HeadExportOptions? Heads = null)
{
    /// <summary>Who is asked for use that is older than we keep; null for nobody.</summary>
    public PrometheusOptions? Prometheus { get; init; }

    /// <summary>Whether metrics also appear as HAMi-WebUI's exporter has them.</summary>
    public bool WebUiMetrics { get; init; }
}

/// <summary>How pods are admitted, placed and bound.</summary>
/// <param name="NodePolicy">Over nodes, where the pod names none.</param>
/// <param name="GpuPolicy">Over the cards of a node, where the pod names none.</param>
/// <param name="ReservedFor">How long cards stay reserved between filter and bind.</param>
internal sealed record PlacementOptions(
    string SchedulerName, bool ForceOverwriteDefaultScheduler, NodePolicy NodePolicy, CardPolicy GpuPolicy, ExtenderMode Mode, TimeSpan ReservedFor,
    NodeLockTimes NodeLock, NvidiaConfig Nvidia)
{
    /// <summary>The typical workload for the policy <c>fragmentation</c>; null to learn it.</summary>
    public WorkloadMix? Workload { get; init; }
}

/// <summary>Whose results count.</summary>
/// <param name="Key">What ours are signed with; null for not at all.</param>
/// <param name="Adopt">Whether pods that HAMi placed are counted by their annotations.</param>
internal sealed record ResultOptions(SigningKey? Key, bool Adopt);

/// <summary>Patience with the lock that HAMi's device plugin keeps on a node.</summary>
/// <param name="Expiry">Age at which another's lock no longer counts.</param>
/// <param name="Retry">How long a bind waits for its turn.</param>
internal sealed record NodeLockTimes(TimeSpan Expiry, TimeSpan Retry);
