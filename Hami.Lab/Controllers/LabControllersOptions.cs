using k8s;

namespace Hami.Lab.Controllers;

/// <summary>How the stand-in for kube-controller-manager is started.</summary>
public sealed record LabControllersOptions
{
    /// <summary>The API server; it stays its owner's.</summary>
    public required IKubernetes Kubernetes { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public required ILoggerFactory Logging { get; init; }

    /// <summary>How long a node may be silent before it is Unknown (<c>--node-monitor-grace-period</c>, 50 s since Kubernetes 1.32).</summary>
    public TimeSpan NodeMonitorGracePeriod { get; init; } = TimeSpan.FromSeconds(50);

    /// <summary>Runtime classes made at the start where they are missing, by name and handler.</summary>
    public IReadOnlyDictionary<string, string> RuntimeClasses { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal) { ["nvidia"] = "nvidia" };
}
