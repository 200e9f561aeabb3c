using k8s;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Lab.Scheduler;

/// <summary>What the stand-in for kube-scheduler needs to know.</summary>
public sealed record LabSchedulerOptions
{
    public required IKubernetes Kubernetes { get; init; }

    /// <summary>Asked in this order; the first that binds does so.</summary>
    public IReadOnlyList<ExtenderOptions> Extenders { get; init; } = [];

    /// <summary>Pods that name one of these are placed, each with the same plugins and extenders.</summary>
    public IReadOnlyList<string> SchedulerNames { get; init; } = ["default-scheduler", "hami-scheduler"];

    /// <summary>How many of the nodes that fit are enough to choose from; 0 lets the size of the cluster decide, 100 asks for all.</summary>
    public int PercentageOfNodesToScore { get; init; }

    /// <summary>Decides among equally good nodes, so that a run can be repeated.</summary>
    public int Seed { get; init; } = 1;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;
}
