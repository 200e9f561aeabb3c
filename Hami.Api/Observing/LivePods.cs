using System.Collections.Concurrent;
using Hami.Domain.Admitting;
using Hami.Domain.Protocol;
using k8s;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>What the watch last said of the pods that are of interest here: those that ask for cards, hold some, or name our scheduler.</summary>
/// <remarks>At most so many: when there are more, those that have ended are forgotten first, then the oldest.</remarks>
public sealed class LivePods
{
    internal const int Usual = 10_000;

    private readonly ConcurrentDictionary<string, PodNow> _pods = new(StringComparer.Ordinal);
    private readonly CommonTexts _texts = new();
    private readonly AdmissionRules _rules;
    private readonly int _most;

    internal LivePods(AdmissionRules rules, int most = Usual) => (_rules, _most) = (rules, most);

    internal int Count => _pods.Count;

    internal PodNow? Find(string podUid) => _pods.GetValueOrDefault(podUid);

    internal void See(V1Pod pod)
    {
        if (!Concerns(pod))
            return;
        _pods[pod.Uid()] = PodNow.Of(pod, _texts);
        if (_pods.Count > _most)
            MakeRoom();
    }

    internal void Forget(string podUid) => _pods.TryRemove(podUid, out _);

    /// <summary>Takes over a complete list.</summary>
    internal void Replace(IEnumerable<V1Pod> pods)
    {
        var listed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var pod in pods)
        {
            listed.Add(pod.Uid());
            See(pod);
        }
        foreach (var uid in _pods.Keys.Where(uid => !listed.Contains(uid)))
            Forget(uid);
    }

    private bool Concerns(V1Pod pod) =>
        (_rules.SchedulerName.Length > 0 && pod.Spec.SchedulerName == _rules.SchedulerName)
        || pod.GetAnnotation(HamiKeys.AllocationId) is not null || pod.GetAnnotation(HamiKeys.DevicesAllocated) is not null
        || (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers ?? []).Any(c => Asks(c.Resources?.Limits) || Asks(c.Resources?.Requests));

    private bool Asks(IDictionary<string, ResourceQuantity>? quantities) =>
        quantities is not null && _rules.Nvidia.ResourceNames is var names
        && (quantities.ContainsKey(names.Count) || quantities.ContainsKey(names.Memory) || quantities.ContainsKey(names.MemoryPercent) || quantities.ContainsKey(names.Cores));

    // A tenth at once, so that this is rare.
    private void MakeRoom()
    {
        foreach (var (uid, _) in _pods.OrderBy(p => p.Value.IsTerminal ? 0 : 1).ThenBy(p => p.Value.CreatedAt).Take((_most / 10) + 1).ToList())
            Forget(uid);
    }
}
