using System.Collections.Concurrent;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using k8s.Models;

namespace Hami.Api.Placing;

/// <summary>
/// Keeps the cards that are being made free for a pod from everybody else: kube-scheduler nominates a node, then the victims take their
/// time to end, and whoever asks first afterwards would get them, so that the evictions were in vain.
/// </summary>
internal sealed class Nominations
{
    private const int MostPlans = 1000;
    private const int MostTries = 4;

    private readonly ClusterView _view;
    private readonly ILedgerReader _log;
    private readonly ExtenderSettings _settings;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, Nomination> _planned = new(StringComparer.Ordinal);

    public Nominations(ClusterView view, ILedgerReader log, WaitingPods waiting, ExtenderSettings settings, TimeProvider time)
    {
        (_view, _log, _settings, _time) = (view, log, settings, time);
        // A pod that asks again too early gives back what was kept for it.
        waiting.OnRefused += (podUid, _) => Hold(podUid);
    }

    /// <summary>Kube-scheduler was told whom to evict for the pod.</summary>
    public void Planned(PodAsk ask, string resourceVersion, IReadOnlyList<PlannedVictims> plan)
    {
        // The pod's nomination may stand on what was planned before.
        if (plan.Count == 0)
            return;
        // So many at once are no normal day; kube-scheduler asks again.
        if (_planned.Count >= MostPlans)
            _planned.Clear();
        _planned[ask.Uid] = new(ask, resourceVersion, plan, null);
    }

    /// <summary>A pod as it is now.</summary>
    public void See(V1Pod pod)
    {
        if (!_planned.TryGetValue(pod.Uid(), out var planned))
            return;
        if (!string.IsNullOrEmpty(pod.Spec.NodeName))
        {
            Forget(pod.Uid());
            return;
        }
        var node = pod.Status?.NominatedNodeName is { Length: > 0 } name ? name : null;
        if (node == planned.Node)
            return;
        _planned.TryUpdate(pod.Uid(), planned with { Node = node }, planned);
        Hold(pod.Uid());
    }

    public void Forget(string podUid) => _planned.TryRemove(podUid, out _);

    private void Hold(string podUid)
    {
        if (!_planned.TryGetValue(podUid, out var planned) || planned.Node is not { } name || planned.Plan.FirstOrDefault(n => n.Node == name) is not { } victims)
            return;
        var going = victims.PodUids.ToHashSet(StringComparer.Ordinal);
        for (var tries = 0; tries < MostTries && _view.Node(name) is { } node; tries++)
        {
            if (Shares(planned.Ask, node, going) is not { } shares
                || _view.TryReserve(node, new(planned.Ask, planned.ResourceVersion, name, shares, 1, [], _time.GetUtcNow() + _settings.ReservationTime)))
            {
                return;
            }
        }
    }

    /// <summary>The cards as they will be. Until then more than all is taken of them, which only means that nobody else fits.</summary>
    private List<Share>? Shares(PodAsk ask, NodeUse node, HashSet<string> going)
    {
        var ledger = _log.Ledger;
        if (_view.ReservationOf(ask.Uid) is { } own && own.Node == node.Name)
            node = node.Without(own.Shares);
        node = ledger.Node(node.Name).Allocations.Values.Where(a => going.Contains(a.PodUid)).Aggregate(node, (n, a) => n.Without(a.Held));
        var (shares, refusals) = (new List<Share>(), new int[CardRefusals.Count]);
        return NodeFit.TryFit(ask, node, ledger.TermsFor(ask.Namespace) with { Quota = QuotaRoom.Unlimited }, shares, refusals) ? shares : null;
    }

    /// <summary>A pod that evictions are making room for.</summary>
    /// <param name="Node">Where kube-scheduler means the pod to go; null before it says so.</param>
    private sealed record Nomination(PodAsk Ask, string ResourceVersion, IReadOnlyList<PlannedVictims> Plan, string? Node);
}
