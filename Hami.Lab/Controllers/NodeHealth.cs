using System.Collections.Concurrent;
using System.Threading.Channels;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>The node lifecycle controller: a node that falls silent becomes Unknown, and its taints say what state it is in.</summary>
/// <remarks>Silence is measured from when this process last saw a change, never by comparing clocks: after a start every node has its full grace again.</remarks>
internal sealed class NodeHealth
{
    private const string Source = "node-controller";
    private const string NotReady = "node.kubernetes.io/not-ready";
    private const string Unreachable = "node.kubernetes.io/unreachable";
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // What a kubelet posts, and nobody knows any more once it is silent.
    private static readonly string[] Posted = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

    // nodeConditionToTaintKeyStatusMap: conditions that only keep new pods away.
    private static readonly (string Condition, string Taint)[] Pressures =
    [
        ("MemoryPressure", "node.kubernetes.io/memory-pressure"), ("DiskPressure", "node.kubernetes.io/disk-pressure"),
        ("PIDPressure", "node.kubernetes.io/pid-pressure"), ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
    ];

    private readonly LabControllersOptions _options;
    private readonly Informer<V1Node> _nodes;
    private readonly Informer<V1Pod> _pods;
    private readonly ControllerEvents _events;
    private readonly ConcurrentDictionary<string, (string Sign, long Since)> _heard = new(StringComparer.Ordinal);
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly HashSet<string> _silent = new(StringComparer.Ordinal);
    private readonly Channel<bool> _changed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public NodeHealth(LabControllersOptions options, Informer<V1Node> nodes, Informer<V1Lease> leases, Informer<V1Pod> pods, ControllerEvents events)
    {
        (_options, _nodes, _pods, _events) = (options, nodes, pods, events);
        nodes.OnChange(c =>
        {
            if (c.Now is { } now)
                Heard(now.Name(), $"status {now.Condition("Ready")?.LastHeartbeatTime:O} {now.Condition("Ready")?.Status}");
            else
                _heard.TryRemove(c.Before!.Name(), out _);
            // A cordon, or a node that comes and goes, is not left waiting for the next round.
            if (c.Now is null || c.Before is null || c.Now.Spec.Unschedulable != c.Before.Spec.Unschedulable || c.Now.Condition("Ready")?.Status != c.Before.Condition("Ready")?.Status)
                _changed.Writer.TryWrite(true);
        });
        leases.OnChange(c =>
        {
            if (c.Now is { } now)
                Heard(now.Name(), $"lease {now.Spec?.RenewTime:O}");
        });
    }

    public async Task Run(CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.WhenAll(_nodes.All.Select(n => Look(n, cancellationToken)));
            foreach (var gone in _known.Where(n => _nodes.Find(n) is null).ToList())
            {
                _known.Remove(gone);
                _silent.Remove(gone);
                _events.Normal(Source, About(gone, null), "RemovingNode", $"Node {gone} event: Removing Node {gone} from Controller");
            }
            using var round = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(_changed.Reader.WaitToReadAsync(round.Token).AsTask(), Task.Delay(Period, _options.Time, round.Token));
            await round.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
            _changed.Reader.TryRead(out _);
        }
    }

    private void Heard(string node, string sign) => _heard.AddOrUpdate(
        node, _ => (sign, _options.Time.GetTimestamp()), (_, old) => old.Sign == sign || sign.Contains("Unknown", StringComparison.Ordinal) ? old : (sign, _options.Time.GetTimestamp()));

    private async Task Look(V1Node node, CancellationToken cancellationToken)
    {
        try
        {
            lock (_known)
            {
                if (_known.Add(node.Name()))
                    _events.Normal(Source, About(node.Name(), node.Uid()), "RegisteredNode", $"Node {node.Name()} event: Registered Node {node.Name()} in Controller");
            }
            var since = _heard.TryGetValue(node.Name(), out var heard) ? heard.Since : _options.Time.GetTimestamp();
            var ready = node.Condition("Ready");
            if (_options.Time.GetElapsedTime(since) > _options.NodeMonitorGracePeriod && ready?.Status is not "Unknown")
                node = await MarkUnknown(node, cancellationToken);
            await Taint(node, cancellationToken);
            await TellPods(node, cancellationToken);
        }
        catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException)
        {
            // The next round looks again.
        }
    }

    private async Task<V1Node> MarkUnknown(V1Node node, CancellationToken cancellationToken)
    {
        var now = _options.Time.GetUtcNow();
        var conditions = Posted.Select(type =>
        {
            var old = node.Condition(type);
            return new V1NodeCondition
            {
                Type = type,
                Status = "Unknown",
                Reason = old is null ? "NodeStatusNeverUpdated" : "NodeStatusUnknown",
                Message = old is null ? "Kubelet never posted node status." : "Kubelet stopped posting node status.",
                LastHeartbeatTime = old?.LastHeartbeatTime ?? node.Metadata.CreationTimestamp,
                LastTransitionTime = now.Stamp(),
            };
        }).ToList();
        var patch = new { metadata = new { resourceVersion = node.ResourceVersion() }, status = new { conditions } };
        return await _options.Kubernetes.CoreV1.PatchNodeStatusAsync(
            new V1Patch(KubernetesJson.Serialize(patch), V1Patch.PatchType.StrategicMergePatch), node.Name(), cancellationToken: cancellationToken);
    }

    private async Task Taint(V1Node node, CancellationToken cancellationToken)
    {
        var state = node.Condition("Ready")?.Status;
        var wanted = new List<(string Key, string Effect)>();
        if (state is "False" or "Unknown")
        {
            var key = state is "False" ? NotReady : Unreachable;
            wanted.Add((key, "NoSchedule"));
            wanted.Add((key, "NoExecute"));
        }
        if (node.Spec.Unschedulable is true)
            wanted.Add(("node.kubernetes.io/unschedulable", "NoSchedule"));
        wanted.AddRange(Pressures.Where(p => node.Condition(p.Condition)?.Status is "True").Select(p => (p.Taint, "NoSchedule")));

        var old = node.Spec.Taints ?? [];
        var ours = old.Where(IsOurs).Select(t => (t.Key, t.Effect)).ToHashSet();
        if (ours.SetEquals(wanted))
            return;
        var now = _options.Time.GetUtcNow();
        var taints = old.Where(t => !IsOurs(t) || wanted.Contains((t.Key, t.Effect)))
            .Concat(wanted.Where(w => !ours.Contains(w)).Select(w => new V1Taint { Key = w.Key, Effect = w.Effect, TimeAdded = now.Stamp() })).ToList();
        var patch = new { metadata = new { resourceVersion = node.ResourceVersion() }, spec = new { taints } };
        await _options.Kubernetes.CoreV1.PatchNodeAsync(
            new V1Patch(taints.Count > 0 ? KubernetesJson.Serialize(patch) : $$$"""{"metadata":{"resourceVersion":"{{{node.ResourceVersion()}}}"},"spec":{"taints":null}}""", V1Patch.PatchType.MergePatch),
            node.Name(), cancellationToken: cancellationToken);
    }

    // Once, when the node is seen to be down: its pods are not ready either, whatever they last said.
    private async Task TellPods(V1Node node, CancellationToken cancellationToken)
    {
        lock (_silent)
        {
            if (node.Condition("Ready")?.Status is not ("False" or "Unknown"))
            {
                _silent.Remove(node.Name());
                return;
            }
            if (!_silent.Add(node.Name()))
                return;
        }
        _events.Normal(Source, About(node.Name(), node.Uid()), "NodeNotReady", $"Node {node.Name()} status is now: NodeNotReady");
        foreach (var pod in _pods.All.Where(p => p.Spec.NodeName == node.Name() && p.IsReady()))
        {
            var condition = new { type = "Ready", status = "False", lastTransitionTime = _options.Time.GetUtcNow().Stamp() };
            var patch = new { metadata = new { uid = pod.Uid() }, status = new { conditions = new[] { condition } } };
            try
            {
                await _options.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(
                    new V1Patch(KubernetesJson.Serialize(patch), V1Patch.PatchType.StrategicMergePatch), pod.Name(), pod.Namespace(), cancellationToken: cancellationToken);
            }
            catch (HttpOperationException e) when (e.IsGone())
            {
                continue;
            }
            catch
            {
                // The next round tells those that are left.
                lock (_silent)
                    _silent.Remove(node.Name());
                throw;
            }
            var about = new V1ObjectReference { ApiVersion = "v1", Kind = "Pod", Name = pod.Name(), NamespaceProperty = pod.Namespace(), Uid = pod.Uid(), ResourceVersion = pod.ResourceVersion() };
            _events.Warning(Source, about, "NodeNotReady", "Node is not ready");
        }
    }

    private static bool IsOurs(V1Taint taint) =>
        taint.Key is NotReady or Unreachable or "node.kubernetes.io/unschedulable" || Pressures.Any(p => p.Taint == taint.Key && taint.Effect is "NoSchedule");

    private static V1ObjectReference About(string node, string? uid) => new() { Kind = "Node", Name = node, Uid = uid ?? node };
}

internal static class Nodes
{
    public static V1NodeCondition? Condition(this V1Node node, string type) => node.Status?.Conditions?.FirstOrDefault(c => c.Type == type);
}
