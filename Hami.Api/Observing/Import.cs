using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Ledger;
using Hami.Domain.Observing;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Domain.Registering;
using k8s;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>What was taken over of a cluster that HAMi has filled.</summary>
/// <param name="DryRun">True when nothing was written.</param>
/// <param name="Nodes">Nodes that publish cards.</param>
/// <param name="KnownBefore">Pods whose cards were counted already.</param>
/// <param name="Left">What is not counted, and why.</param>
internal sealed record ImportReport(bool DryRun, int Nodes, int Cards, int KnownBefore, IReadOnlyList<ImportedPod> Adopted, IReadOnlyList<NotImported> Left);

/// <summary>A pod whose cards are counted now.</summary>
/// <param name="Source">Where its shares were read, in a sentence.</param>
internal sealed record ImportedPod(string Namespace, string Pod, string Node, int Shares, long MemoryMiB, long Cores, string Source);

/// <summary>A pod, or a node, that was left out.</summary>
internal sealed record NotImported(string What, string Why);

/// <summary>Takes over once, as <c>serve --adopt</c> does while it runs: the cards of the nodes, and what HAMi's annotations say of pods on them.</summary>
/// <param name="dryRun">Decide everything and write nothing.</param>
internal sealed class Import(IKubernetes kubernetes, ClusterOptions cluster, Journal journal, NvidiaConfig nvidia, bool dryRun)
{
    private readonly List<ImportedPod> _adopted = [];
    private readonly List<NotImported> _left = [];
    private ClusterLedger _ledger = ClusterLedger.Empty;
    private int _knownBefore;

    public async Task<ImportReport> RunAsync(CancellationToken cancellationToken)
    {
        _ledger = journal.Ledger;
        var selector = cluster.NodeSelector is { Length: > 0 } labels ? labels : null;
        foreach (var node in (await kubernetes.CoreV1.ListNodeAsync(labelSelector: selector, cancellationToken: cancellationToken)).Items)
            await RegisterAsync(node, cancellationToken);
        foreach (var pod in (await kubernetes.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: cancellationToken)).Items)
            await AdoptAsync(SeenPod.Of(pod, nvidia), cancellationToken);
        var nodes = _ledger.Nodes.Values.Where(n => n.Cards.Count > 0).ToList();
        return new(dryRun, nodes.Count, nodes.Sum(n => n.Cards.Count), _knownBefore, _adopted, _left);
    }

    private async Task RegisterAsync(V1Node node, CancellationToken cancellationToken)
    {
        if (node.GetAnnotation(HamiKeys.NodeRegister) is not { } text)
            return;
        try
        {
            var links = node.GetAnnotation(HamiKeys.NodeScore) is { } scores ? NodeScores.Decode(scores) : [];
            var register = new RegisterDevices(node.Name(), NodeRegister.Decode(text), links);
            await DecideAsync(node.Name(), ledger => RegisterDevicesDecider.Decide(register, ledger.Node(node.Name())), cancellationToken);
        }
        catch (FormatException e)
        {
            _left.Add(new($"node {node.Name()}", e.Message));
        }
    }

    private async Task AdoptAsync(SeenPod pod, CancellationToken cancellationToken)
    {
        if (pod is not { Foreign: { } found, Node.Length: > 0, IsTerminal: false })
            return;
        if (_ledger.LiveByPod.ContainsKey(pod.Uid))
        {
            _knownBefore++;
            return;
        }
        var name = $"pod {pod.Namespace}/{pod.Name} on {pod.Node}";
        if (found.Fault is { } fault)
        {
            _left.Add(new(name, $"{fault}; mend the annotation, or delete the pod"));
            return;
        }
        var adopt = new AdoptAllocation(
            Guid.CreateVersion7(), pod.Uid, pod.Namespace, pod.Name, pod.Node, found, pod.BindPhase == BindPhases.Success, pod.Owner);
        var verdict = await DecideAsync(pod.Node, ledger => AdoptAllocationDecider.Decide(adopt, ledger), cancellationToken);
        if (verdict.Refusal is { } refusal)
            _left.Add(new(name, $"it names {refusal.Sentence}"));
        foreach (var adopted in verdict.Events.OfType<NodeEvent.AllocationAdopted>())
        {
            var use = CardUse.Sum(adopted.Shares);
            _adopted.Add(new(pod.Namespace, pod.Name, pod.Node, adopted.Shares.Count, use.MemoryMiB, use.Cores, adopted.Source));
        }
    }

    private async Task<Verdict<NodeEvent>> DecideAsync(string node, Func<ClusterLedger, Verdict<NodeEvent>> decide, CancellationToken cancellationToken)
    {
        var stream = Streams.Node(node);
        if (!dryRun)
        {
            var verdict = await journal.DecideAsync(stream, decide, cancellationToken);
            _ledger = journal.Ledger;
            return verdict;
        }
        var would = decide(_ledger);
        _ledger = would.Events.Aggregate(_ledger, (ledger, happened) => ClusterLedger.Evolve(ledger, stream, DateTimeOffset.UnixEpoch, happened));
        return would;
    }
}
