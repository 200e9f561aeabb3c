using k8s;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Lab.Scheduler;

/// <summary>What the stand-in for kube-scheduler needs to know.</summary>
public sealed record LabSchedulerOptions
{
    public required IKubernetes Kubernetes { get; init; }

    /// <summary>The extender's address; <c>/filter</c> and <c>/bind</c> are put behind it. Certificates are not verified.</summary>
    public required Uri ExtenderUrl { get; init; }

    /// <summary>Pods of this scheduler and of <c>default-scheduler</c> are placed.</summary>
    public string SchedulerName { get; init; } = "hami-scheduler";

    /// <summary>How long the extender may take for one answer.</summary>
    public TimeSpan HttpTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A pod that asks one of these goes to the extender; all are ignored by the scheduler itself.</summary>
    public IReadOnlyList<string> ManagedResources { get; init; } =
        ["nvidia.com/gpu", "nvidia.com/gpumem", "nvidia.com/gpumem-percentage", "nvidia.com/gpucores"];

    /// <summary>Whether the extender also ranks the nodes that fit (<c>prioritizeVerb</c>); without it the first by name is taken.</summary>
    public bool Prioritizes { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;
}
