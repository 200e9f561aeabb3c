using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>The pod garbage collector: pods of nodes that are no more, pods nobody will ever run or end, and too many that have ended.</summary>
internal sealed class StrayPods(LabControllersOptions options, Informer<V1Node> nodes, Informer<V1Pod> pods)
{
    // kube-controller-manager: --terminated-pod-gc-threshold, and podgc's own constants.
    private const int MostTerminated = 12_500;
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Quarantine = TimeSpan.FromSeconds(40);
    private readonly Dictionary<string, long> _missing = new(StringComparer.Ordinal);

    public async Task Run(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Period, options.Time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            try
            {
                await Collect(cancellationToken);
            }
            catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException)
            {
                // The next round looks again.
            }
        }
    }

    private async Task Collect(CancellationToken cancellationToken)
    {
        var all = pods.All.ToList();
        foreach (var old in all.Where(p => p.IsFinished()).OrderByDescending(p => p.Metadata.CreationTimestamp).Skip(MostTerminated))
            await Remove(old, mark: false, cancellationToken);
        var lost = all.Where(p => !string.IsNullOrEmpty(p.Spec.NodeName) && nodes.Find(p.Spec.NodeName) is null).ToLookup(p => p.Spec.NodeName, StringComparer.Ordinal);
        foreach (var back in _missing.Keys.Where(n => !lost.Contains(n)).ToList())
            _missing.Remove(back);
        foreach (var node in lost)
        {
            _missing.TryAdd(node.Key, options.Time.GetTimestamp());
            // A node may be made again, or the watch be behind: it has to stay away, and the server has to say so.
            if (options.Time.GetElapsedTime(_missing[node.Key]) < Quarantine || await Exists(node.Key, cancellationToken))
                continue;
            foreach (var pod in node)
                await Remove(pod, mark: true, cancellationToken);
        }
        foreach (var pod in all.Where(p => p.Metadata.DeletionTimestamp is not null && string.IsNullOrEmpty(p.Spec.NodeName) && !p.IsFinished()))
            await Remove(pod, mark: true, cancellationToken);
    }

    private async Task<bool> Exists(string node, CancellationToken cancellationToken)
    {
        try
        {
            await options.Kubernetes.CoreV1.ReadNodeAsync(node, cancellationToken: cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.IsNotFound())
        {
            return false;
        }
    }

    private async Task Remove(V1Pod pod, bool mark, CancellationToken cancellationToken)
    {
        try
        {
            if (mark && !pod.IsFinished())
            {
                var condition = new
                {
                    type = "DisruptionTarget", status = "True", reason = "DeletionByPodGC", message = "PodGC: node no longer exists",
                    lastTransitionTime = options.Time.GetUtcNow().Stamp(),
                };
                var patch = new { metadata = new { uid = pod.Uid() }, status = new { phase = "Failed", conditions = new[] { condition } } };
                await options.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(
                    new V1Patch(KubernetesJson.Serialize(patch), V1Patch.PatchType.StrategicMergePatch), pod.Name(), pod.Namespace(), cancellationToken: cancellationToken);
            }
            await options.Kubernetes.CoreV1.DeleteNamespacedPodAsync(
                pod.Name(), pod.Namespace(), new V1DeleteOptions { GracePeriodSeconds = 0, Preconditions = new() { Uid = pod.Uid() } }, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException)
        {
            // Gone already, as wanted; or refused, and the next round asks again. The other pods do not wait for this one.
        }
    }
}
