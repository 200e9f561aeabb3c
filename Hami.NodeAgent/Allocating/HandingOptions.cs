using System.Collections.Immutable;

namespace Hami.NodeAgent.Allocating;

/// <summary>How a container gets its devices; the words are NVIDIA's.</summary>
internal enum DeviceListStrategy
{
    /// <summary><c>NVIDIA_VISIBLE_DEVICES</c>.</summary>
    EnvVar,

    /// <summary>Mounts of <c>/dev/null</c> that the NVIDIA runtime reads as names.</summary>
    VolumeMounts,

    /// <summary>An annotation that names CDI devices.</summary>
    CdiAnnotations,

    /// <summary>The field of the CRI that names CDI devices.</summary>
    CdiCri,
}

/// <summary>By what containers' devices are named.</summary>
internal enum DeviceIdStrategy
{
    Uuid,
    Index,
}

/// <summary>What of a card goes to its container, and how; decided once, by <see cref="HandingFlags"/>.</summary>
internal sealed record HandingOptions
{
    public ImmutableArray<DeviceListStrategy> Strategies { get; init; } = [DeviceListStrategy.EnvVar];

    public DeviceIdStrategy IdStrategy { get; init; }

    /// <summary>Whether device nodes are in the answer, for runtimes that know nothing of NVIDIA.</summary>
    public bool PassDeviceSpecs { get; init; }

    /// <summary>The driver's root on the host.</summary>
    public string DriverRoot { get; init; } = "/";

    /// <summary>Where <see cref="DriverRoot"/> is for us.</summary>
    public string DriverRootHere { get; init; } = "/driver-root";

    /// <summary>Root of the device nodes on the host.</summary>
    public string DevRoot
    {
        get => field ?? DriverRoot;
        init;
    }

    /// <summary>Where device nodes are for us.</summary>
    public string DevHere { get; init; } = "/dev";

    public bool GdrCopy { get; init; }

    public bool Gds { get; init; }

    public bool Mofed { get; init; }

    public string CdiAnnotationPrefix { get; init; } = "cdi.k8s.io/";

    /// <summary>On the host: the program that hooks of CDI specs start.</summary>
    public string CdiHook { get; init; } = "/usr/bin/nvidia-ctk";

    public string CdiSpecDir { get; init; } = "/var/run/cdi";

    public ImmutableArray<int> ImexChannels { get; init; } = [];

    public bool ImexRequired { get; init; }

    /// <summary>Whether a container may turn control off by <c>CUDA_DISABLE_CONTROL</c>, as HAMi documents.</summary>
    public bool AllowsNoControl { get; init; } = true;

    /// <summary>Whether limits are also given by file. The library believes only root's; without root the environment is all there is.</summary>
    public bool LimitsByFile { get; init; } = Environment.IsPrivilegedProcess;

    /// <summary>Whether a region's room on the disk is taken at once; not where containers are only pretended.</summary>
    public bool TakesRoom { get; init; } = true;

    public bool Lists(DeviceListStrategy strategy) => Strategies.Contains(strategy);

    public bool UsesCdi => Lists(DeviceListStrategy.CdiAnnotations) || Lists(DeviceListStrategy.CdiCri);

    /// <summary>Nothing but CDI, so the answer names no NVIDIA variables and no device nodes.</summary>
    public bool OnlyCdi => Strategies.All(s => s is DeviceListStrategy.CdiAnnotations or DeviceListStrategy.CdiCri);

    /// <summary>One sentence on a channel that must be there and is not; null when none is.</summary>
    public string? Missing(DeviceFolder folder) => ImexRequired && ImexChannels.FirstOrDefault(id => !folder.Has(DeviceFolder.ImexChannel(id)), -1) is >= 0 and var id
        ? $"--imex-required is set, but the node has no {DeviceFolder.ImexChannel(id)}: start the IMEX service, or take the flag away."
        : null;

    /// <summary>One sentence on the first value that cannot work; null when all can.</summary>
    public string? Fault()
    {
        if (Strategies.IsEmpty)
            return "--device-list-strategy is empty; give envvar, volume-mounts, cdi-annotations or cdi-cri.";
        if (ImexChannels is not ([] or [0]))
            return $"--imex-channel-ids is {string.Join(',', ImexChannels)}; only channel 0 can be given, or none.";
        if (!CdiAnnotationPrefix.EndsWith('/'))
            return $"--cdi-annotation-prefix is \"{CdiAnnotationPrefix}\"; it must end with a slash, such as cdi.k8s.io/.";
        foreach (var (path, flag) in new[] { (DriverRoot, "--nvidia-driver-root"), (DevRoot, "--nvidia-dev-root"), (DriverRootHere, "--driver-root-ctr-path"), (CdiHook, "--nvidia-cdi-hook-path"), (CdiSpecDir, "--cdi-spec-dir") })
            if (!path.StartsWith('/'))
                return $"{flag} is \"{path}\"; give a path from the root.";
        return null;
    }
}
