using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Lab.Kubelet;

/// <summary>What the stand-in for a node's kubelet needs to know.</summary>
public sealed record LabKubeletOptions
{
    public required IKubernetes Kubernetes { get; init; }

    public required string NodeName { get; init; }

    /// <summary>The kubelet's own folder: sockets, run directories, logs and the checkpoint. Keep it short: a unix socket's path ends at 107 bytes.</summary>
    public required string Directory { get; init; }

    /// <summary>Folder with the fake <c>libcuda.so.1</c> and <c>libnvidia-ml.so.1</c>; containers get it as LD_LIBRARY_PATH, as the NVIDIA runtime would map the driver in.</summary>
    public required string DriverDirectory { get; init; }

    /// <summary>The fake driver's devices, given to containers as HAMI_FAKE_DRIVER.</summary>
    public required string DriverDevicesFile { get; init; }

    /// <summary>Folder with <c>lab-smi</c>, <c>nvidia-smi</c> and <c>lab-cuda</c>; first on the containers' PATH.</summary>
    public required string ProgramsDirectory { get; init; }

    /// <summary>Labels beside <c>kubernetes.io/hostname</c>, <c>kubernetes.io/os</c> and <c>gpu=on</c>.</summary>
    public IReadOnlyDictionary<string, string> NodeLabels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Annotations the node is made with.</summary>
    public IReadOnlyDictionary<string, string> NodeAnnotations { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Taints the node is made with; a node that is there keeps its own.</summary>
    public IReadOnlyList<V1Taint> NodeTaints { get; init; } = [];

    /// <summary>The node's InternalIP: the kubelet's server listens there, and an API server reaches it there for logs.</summary>
    public string Address { get; init; } = "127.0.0.1";

    /// <summary>The only namespace whose pods this node runs, as processes of this machine; the pods of others wait. All of them when null.</summary>
    public string? OnlyNamespace { get; init; }

    /// <summary>Resources that only a device plugin can give: a pod that asks one before any plugin registered is rejected.</summary>
    public IReadOnlyList<string> DeviceResources { get; init; } = ["nvidia.com/gpu"];

    /// <summary>How often the kubelet looks whether its node's status is still what it should be; an unchanged one is written every 5 minutes.</summary>
    public TimeSpan StatusInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the node's lease lasts; it is renewed four times within it.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(40);

    /// <summary>Rest between two tries to start a container whose start was refused (PreStartContainer, configuration, volumes).</summary>
    public TimeSpan StartRetry { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a restarted kubelet waits for the plugins it knew; pods that hold devices of one that is later are rejected for good.</summary>
    public TimeSpan PluginGrace { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Whether containers run without a process and without volumes, so nothing is told of pulling and creating either; everything else, the
    /// device plugins' part in it above all, is as always.
    /// </summary>
    public bool PretendsContainers { get; init; }

    /// <summary>Seed of the arbitrary order in which device ids reach Allocate.</summary>
    public int Seed { get; init; } = 1;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;
}

/// <summary>What a command run inside a container gave back.</summary>
public sealed record ContainerRun(int ExitCode, string Output, string Errors);
