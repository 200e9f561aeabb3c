using Hami.Lab.Cluster;
using k8s;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Lab.Hollow;

/// <summary>What hollow nodes need to know.</summary>
public sealed record HollowNodesOptions
{
    public required IKubernetes Kubernetes { get; init; }

    /// <summary>The nodes and their cards; see <see cref="Alike"/>.</summary>
    public required IReadOnlyList<LabNode> Nodes { get; init; }

    /// <summary>Labels beside <c>hami.io/lab-node=hollow</c>, <c>gpu=on</c> and the kubelet's own.</summary>
    public IReadOnlyDictionary<string, string> NodeLabels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>How many containers may share one card, as the agent's <c>--device-split-count</c>.</summary>
    public int SplitCount { get; init; } = 10;

    /// <summary>How long a node's lease lasts; each is renewed four times within it, all of them spread evenly.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(40);

    /// <summary>How many requests to the API server may be under way at once.</summary>
    public int Writers { get; init; } = 16;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILoggerFactory Logging { get; init; } = NullLoggerFactory.Instance;

    /// <summary>So many nodes of one kind: <c>prefix-0001</c> …, the same at every start.</summary>
    public static IReadOnlyList<LabNode> Alike(string prefix, int count, int cards = 8, string model = "NVIDIA A100-SXM4-80GB", long memoryMiB = 81920) =>
    [
        .. Enumerable.Range(1, count).Select(number => new LabNode(
            $"{prefix}-{number:d4}",
            [
                .. Enumerable.Range(0, cards).Select(index => new LabCard(
                    index, $"GPU-{prefix}-{number:d4}-{index:d2}", model, memoryMiB, Multiprocessors: 108, Numa: index * 2 / cards)),
            ])),
    ];
}
