namespace Hami.Lab.Scheduler;

/// <summary>One extender as a KubeSchedulerConfiguration describes it.</summary>
public sealed record ExtenderOptions
{
    /// <summary>The address that the verbs are put behind.</summary>
    public required Uri Url { get; init; }

    /// <summary>Not asked when null; so with the other verbs.</summary>
    public string? FilterVerb { get; init; } = "filter";

    public string? PrioritizeVerb { get; init; }

    public string? BindVerb { get; init; } = "bind";

    public string? PreemptVerb { get; init; }

    /// <summary>By which its scores, 0 to 10, count beside the scheduler's own.</summary>
    public long Weight { get; init; } = 1;

    /// <summary>True when the extender gets names of nodes, false when it gets whole nodes.</summary>
    public bool NodeCacheCapable { get; init; } = true;

    /// <summary>Whether pods are placed without it while it cannot answer.</summary>
    public bool Ignorable { get; init; }

    /// <summary>How long it may take for one answer.</summary>
    public TimeSpan HttpTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Only pods that ask one of these go to the extender, and the scheduler itself ignores all of them; with none, every pod goes.</summary>
    public IReadOnlyList<string> ManagedResources { get; init; } = Scheduler.ManagedResources.Nvidia;

    /// <summary>The authority that signed the extender's certificate; without one the certificate is not verified.</summary>
    public string? CaPem { get; init; }

    /// <summary>What the scheduler shows the extender, with <see cref="ClientKeyPem"/>; nothing when null.</summary>
    public string? ClientCertificatePem { get; init; }

    public string? ClientKeyPem { get; init; }
}
