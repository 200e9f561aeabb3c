using System.Text.Json;

namespace Hami.Lab.Cluster;

/// <summary>What a node agent of the lab is started with.</summary>
/// <param name="Node">Name of its node.</param>
/// <param name="Kubeconfig">How it reaches the API server.</param>
/// <param name="KubeletDirectory">Where its kubelet's sockets are.</param>
/// <param name="HookPath">HAMi's hook path: the library and the containers' directories.</param>
/// <param name="DeviceFile">The cards as a program that serves many agents simulates them.</param>
/// <param name="SigningPublicKey">The control plane's public key.</param>
public sealed record AgentOnNode(string Node, string Kubeconfig, string KubeletDirectory, string HookPath, string DeviceFile, string SigningPublicKey)
{
    /// <summary>The control plane that is told what is measured; null for none.</summary>
    public ApiOfAgents? Api { get; init; }

    /// <summary>File with the token that is shown there.</summary>
    public string? ApiTokenFile { get; init; }

    /// <summary>The node's cards as the fake driver reads them: an agent with a process of its own finds them there by NVML.</summary>
    public required string DriverFile { get; init; }

    /// <summary>Where that agent finds on which NUMA node they are.</summary>
    public required string Sysfs { get; init; }

    /// <summary>The words after <c>hami-node-agent serve</c>, for a process of its own.</summary>
    internal IReadOnlyList<string> Words =>
    [
        "--node-name", Node, "--kubeconfig", Kubeconfig, "--kubelet-dir", KubeletDirectory, "--hook-path", HookPath,
        "--nvml-library", Path.Combine(BuiltPrograms.Interceptor, "driver", "libnvidia-ml.so.1"), "--sysfs", Sysfs,
        "--signing-public-key", SigningPublicKey, "--interceptor", Path.Combine(BuiltPrograms.Interceptor, "libvgpu.so"),
        "--metrics-bind", "", // many agents on one machine
        .. Api is null || ApiTokenFile is null ? (string[])[] : ["--api-address", Api.Address.ToString(), "--api-ca-file", Api.AuthorityFile, "--api-token-file", ApiTokenFile],
    ];

    /// <summary>What such a process finds the cards by.</summary>
    internal IReadOnlyDictionary<string, string?> Environment =>
        new Dictionary<string, string?>(BuiltPrograms.Environment, StringComparer.Ordinal) { ["HAMI_FAKE_DRIVER"] = DriverFile, ["NVIDIA_VISIBLE_DEVICES"] = "all" };

    /// <summary>Writes down many of them, for a program that serves all.</summary>
    internal static void Write(string file, IEnumerable<AgentOnNode> agents) => File.WriteAllText(file, JsonSerializer.Serialize(agents));

    /// <summary>Those written down there.</summary>
    public static IReadOnlyList<AgentOnNode> Read(string file) => JsonSerializer.Deserialize<List<AgentOnNode>>(File.ReadAllText(file)) ?? [];
}

/// <summary>The control plane as agents reach it.</summary>
/// <param name="AuthorityFile">The certificate of who signed its certificate.</param>
public sealed record ApiOfAgents(Uri Address, string AuthorityFile);
