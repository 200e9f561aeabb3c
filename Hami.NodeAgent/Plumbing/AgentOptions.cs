using System.Text;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;
using Hami.NodeAgent.Registering.Health;

namespace Hami.NodeAgent.Plumbing;

/// <summary>What the command line decided, once, for the life of the process.</summary>
internal sealed record AgentOptions
{
    public required string NodeName { get; init; }

    /// <summary>YAML file with the node's cards; null where NVML is asked.</summary>
    public string? DeviceFile { get; init; }

    /// <summary>Where NVML may be, best first; none where the cards are simulated.</summary>
    public IReadOnlyList<string> NvmlLibraries { get; init; } = [];

    /// <summary>Where the machine's sysfs is.</summary>
    public string Sysfs { get; init; } = "/sys";

    /// <summary>How often the cards are looked at.</summary>
    public TimeSpan LookAtCards { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often the node's annotations are looked at: somebody may have changed them.</summary>
    public TimeSpan LookAtNode { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether it is published how well each two cards are connected.</summary>
    public bool TopologyScore { get; init; }

    /// <summary>How long a card must be without an error to be healthy again; zero when time does not heal it.</summary>
    public TimeSpan HealthRecovery { get; init; } = TimeSpan.FromMinutes(10);

    public XidRules XidRules { get; init; } = XidRules.Usual;

    public string KubeletDir { get; init; } = "/var/lib/kubelet";

    /// <summary>HAMi's HOOK_PATH: the library and the containers' directories are in its <c>vgpu</c> folder.</summary>
    public string HookPath { get; init; } = "/usr/local";

    /// <summary>HAMi's device configuration; null without one.</summary>
    public string? ConfigFile { get; init; }

    /// <summary>HAMi's per-node configuration; null without one.</summary>
    public string? NodeConfigFile { get; init; }

    /// <summary>Whether a per-node configuration that is not there is none; else it is a fault.</summary>
    public bool NodeConfigMayBeMissing { get; init; }

    /// <summary>What the command line settles of how cards are shared.</summary>
    public GivenSettings Given { get; init; } = GivenSettings.None;

    public string ResourceName { get; init; } = "nvidia.com/gpu";

    /// <summary>Address for <c>GET /healthz</c>, such as <c>http://127.0.0.1:9395</c>; none when null.</summary>
    public string? HttpBind { get; init; }

    /// <summary>Whether the kubelet's folder is watched by inotify, of which a user has few instances (often 128); else it is looked at every second.</summary>
    public bool WatchesFolder { get; init; } = true;

    /// <summary>Whose allocations count; without any, and with <see cref="AcceptUnsigned"/>, annotations count whoever wrote them.</summary>
    public TrustedKeys Keys { get; init; } = TrustedKeys.None;

    /// <summary>Also give devices for allocations without a signature, while a cluster is taken over.</summary>
    public bool AcceptUnsigned { get; init; }

    public HandingOptions Handing { get; init; } = new();

    public ObservingOptions Observing { get; init; } = new();

    /// <summary>Where measurements are told; null for nowhere.</summary>
    public TelemetryOptions? Telemetry { get; init; }

    public string PluginDir => Path.Combine(KubeletDir, "device-plugins");

    public string PluginSocket => Path.Combine(PluginDir, PluginResource.EndpointOf(ResourceName));

    public string KubeletSocket => Path.Combine(PluginDir, "kubelet.sock");

    public string CheckpointFile => Path.Combine(PluginDir, "kubelet_internal_checkpoint");

    public string PodResourcesSocket => Path.Combine(KubeletDir, "pod-resources", "kubelet.sock");

    /// <summary>Host folder of the library, its preload file and the containers' directories.</summary>
    public string VgpuDir => Path.Combine(HookPath, "vgpu");

    /// <summary>The library on the host, which every container sees as <c>libvgpu.so</c>: another file after an upgrade.</summary>
    public string LibraryFile
    {
        get => field ?? Path.Combine(VgpuDir, "libvgpu.so");
        init;
    }

    /// <summary>Folder of the host that every container sees beside the library.</summary>
    public string AgentDir => Path.Combine(VgpuDir, "agent");

    /// <summary>Where a process in a container asks by which pid the node knows it.</summary>
    public string AgentSocket => Path.Combine(AgentDir, "agent.sock");

    /// <summary>One sentence on the first value that cannot work; null when all can.</summary>
    public string? Fault()
    {
        if (string.IsNullOrWhiteSpace(NodeName))
            return "The node's name is unknown: give --node-name, or set NODE_NAME.";
        if (Given.Fault() is { } fault)
            return fault;
        if (ResourceName.Split('/') is not [{ Length: > 0 }, { Length: > 0 }])
            return $"The resource's name is \"{ResourceName}\"; it must look like nvidia.com/gpu.";
        foreach (var (socket, option) in new[] { (PluginSocket, "--kubelet-dir"), (KubeletSocket, "--kubelet-dir"), (PodResourcesSocket, "--kubelet-dir"), (AgentSocket, "--hook-path") })
            // sockaddr_un.sun_path has 108 bytes with its final NUL (unix(7)).
            if (Encoding.UTF8.GetByteCount(socket) > 107)
                return $"The socket path {socket} is longer than the 107 bytes Linux allows; give a shorter {option}.";
        if (Keys.ById.IsEmpty && !AcceptUnsigned)
            return "Whoever may write a pod's annotations could give it this node's devices: give --signing-public-key the public half of hami-api's --signing-key-file, "
                + "or --accept-unsigned while hami-api has no key or the cluster is taken over from HAMi.";
        return Handing.Fault();
    }
}
