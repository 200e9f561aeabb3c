using System.Collections.Concurrent;
using System.Globalization;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Deletes pods from nodes whose NoExecute taints they do not tolerate, or not for so long.</summary>
internal sealed class TaintEvictions
{
    private const string Source = "taint-eviction-controller";
    private readonly LabControllersOptions _options;
    private readonly Informer<V1Node> _nodes;
    private readonly Informer<V1Pod> _pods;
    private readonly ControllerEvents _events;
    private readonly ConcurrentDictionary<string, DateTimeOffset> _due = new(StringComparer.Ordinal);

    public TaintEvictions(LabControllersOptions options, Informer<V1Node> nodes, Informer<V1Pod> pods, ControllerEvents events)
    {
        (_options, _nodes, _pods, _events) = (options, nodes, pods, events);
        Queue = new(options.Time);
        nodes.OnChange(c =>
        {
            if (Signature(c.Before) == Signature(c.Now))
                return;
            foreach (var pod in pods.All.Where(p => p.Spec.NodeName == (c.Now ?? c.Before)!.Name()))
                Queue.Add(Informer<V1Pod>.Key(pod));
        });
        pods.OnChange(c =>
        {
            if (c.Now is { } now && !string.IsNullOrEmpty(now.Spec.NodeName) && NoExecute(nodes.Find(now.Spec.NodeName)).Count > 0)
                Queue.Add(Informer<V1Pod>.Key(now));
            else if (c.Now is null)
                _due.TryRemove(c.Before!.Uid(), out _);
        });
    }

    public WorkQueue Queue { get; }

    public async Task Look(string key, CancellationToken cancellationToken)
    {
        if (_pods.Find(key) is not { } pod || pod.Metadata.DeletionTimestamp is not null || pod.IsFinished() || _nodes.Find(pod.Spec.NodeName ?? "") is not { } node)
            return;
        var about = new V1ObjectReference { ApiVersion = "v1", Kind = "Pod", Name = pod.Name(), NamespaceProperty = pod.Namespace(), Uid = pod.Uid() };
        if (Until(pod, NoExecute(node), _options.Time.GetUtcNow()) is not { } due)
        {
            if (_due.TryRemove(pod.Uid(), out _))
                _events.Normal(Source, about, "TaintManagerEviction", $"Cancelling deletion of Pod {key}");
            return;
        }
        // The same taint seen again does not put the hour off; another one may bring it forward.
        due = _due.AddOrUpdate(pod.Uid(), due, (_, known) => known < due ? known : due);
        var left = due - _options.Time.GetUtcNow();
        if (left > TimeSpan.Zero)
        {
            Queue.AddAfter(key, left);
            return;
        }
        _events.Normal(Source, about, "TaintManagerEviction", $"Marking for deletion Pod {key}");
        var condition = new
        {
            type = "DisruptionTarget", status = "True", reason = "DeletionByTaintManager", message = "Taint manager: deleting due to NoExecute taint",
            lastTransitionTime = _options.Time.GetUtcNow().Stamp(),
        };
        var patch = new { metadata = new { uid = pod.Uid() }, status = new { conditions = new[] { condition } } };
        try
        {
            await _options.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(
                new V1Patch(KubernetesJson.Serialize(patch), V1Patch.PatchType.StrategicMergePatch), pod.Name(), pod.Namespace(), cancellationToken: cancellationToken);
            await _options.Kubernetes.CoreV1.DeleteNamespacedPodAsync(
                pod.Name(), pod.Namespace(), new V1DeleteOptions { Preconditions = new() { Uid = pod.Uid() } }, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.IsGone())
        {
            // Gone already, as wanted.
        }
    }

    private static List<V1Taint> NoExecute(V1Node? node) => (node?.Spec.Taints ?? []).Where(t => t.Effect is "NoExecute").ToList();

    private static string Signature(V1Node? node) => string.Join(' ', NoExecute(node).Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Key}={t.Value}@{t.TimeAdded:O}")));

    /// <summary>When the pod must go; null when it may stay.</summary>
    private static DateTimeOffset? Until(V1Pod pod, List<V1Taint> taints, DateTimeOffset now)
    {
        DateTimeOffset? first = null;
        foreach (var taint in taints)
        {
            var tolerations = (pod.Spec.Tolerations ?? []).Where(t => Tolerates(t, taint)).ToList();
            if (tolerations.Count == 0)
                return now;
            if (tolerations.Select(t => t.TolerationSeconds).Min() is not { } seconds)
                continue;
            var due = (taint.TimeAdded?.Instant() ?? now) + TimeSpan.FromSeconds(Math.Clamp(seconds, 0, int.MaxValue));
            first = first is null || due < first ? due : first;
        }
        return first;
    }

    private static bool Tolerates(V1Toleration toleration, V1Taint taint) =>
        (string.IsNullOrEmpty(toleration.Effect) || toleration.Effect == taint.Effect)
        && (string.IsNullOrEmpty(toleration.Key) || toleration.Key == taint.Key)
        && (toleration.OperatorProperty is "Exists" || (toleration.Value ?? "") == (taint.Value ?? ""));
}
