using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Allocating;

/// <summary>The node's pods, read as holders of devices.</summary>
internal sealed class PodsWithShares(PodsOnNode pods, HandedOut handedOut, SignatureCheck signatures, AgentOptions options)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    // Every question looks at all pods of the node, and few of them have changed since the last one.
    private readonly ConditionalWeakTable<SeenPod, PodOnNode> read = [];

    private Last? last;

    /// <summary>As the watch last told.</summary>
    public IReadOnlyList<PodOnNode> Watched
    {
        get
        {
            var (now, refused) = (pods.Now, handedOut.Refused);
            var kept = last;
            if (kept?.Of != now || kept.Refused != refused)
                last = kept = new(now, refused, [.. now.Select(Pod)]);
            return kept.Pods;
        }
    }

    public PodOnNode? Find(string uid) => pods.Find(uid) is { } seen ? Pod(seen) : null;

    /// <summary>As the API server knows them now; null when it does not answer in time.</summary>
    public async Task<IReadOnlyList<PodOnNode>?> Read(CancellationToken cancellation)
    {
        try
        {
            return [.. (await Bounded.Call(Limit, pods.Read, cancellation)).Select(Pod)];
        }
        catch (Exception e) when (Outage.Is(e, cancellation))
        {
            return null;
        }
    }

    /// <summary>False when the pod is gone or another has its name; true also when the API server does not answer in time.</summary>
    public async Task<bool> MayBeCurrent(PodOnNode pod, CancellationToken cancellation)
    {
        try
        {
            return await Bounded.Call(Limit, c => pods.IsCurrent(pod.Namespace, pod.Name, pod.Uid, c), cancellation);
        }
        catch (Exception e) when (Outage.Is(e, cancellation))
        {
            return true;
        }
    }

    private PodOnNode Pod(SeenPod seen)
    {
        var pod = read.GetValue(seen, s => PodOnNode.From(s, options.ResourceName, signatures));
        return handedOut.Refused.Contains(pod.Uid) ? pod with { Over = true } : pod;
    }

    private sealed record Last(IReadOnlyList<SeenPod> Of, IImmutableSet<string> Refused, IReadOnlyList<PodOnNode> Pods);
}
