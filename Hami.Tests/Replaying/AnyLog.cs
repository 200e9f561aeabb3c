using Hami.Domain.Allocating;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Observing;
using Hami.Domain.Placing;
using Hami.Domain.Quotas;
using Hami.Domain.Releasing;
using Hami.Tests.Given;
using Hami.Tests.Placing;

namespace Hami.Tests.Replaying;

/// <summary>A random life of a cluster by a seed, decided by the domain's own deciders and written through a real journal.</summary>
internal sealed class AnyLog(int seed)
{
    private readonly Random _random = new(seed);
    private readonly AnyScene _scene = new(seed);
    private readonly List<string> _nodes = [];
    private int _pods;

    /// <summary>Writes some commits, many commands in one of them where the journal puts them together.</summary>
    public async Task WriteAsync(TestJournal journal, int steps)
    {
        await Decide<PolicyEvent>(journal, Streams.Policy, ledger => ChangePolicyDecider.Decide(new(new(NodePolicy.Binpack, CardPolicy.Spread), "the test"), ledger));
        while (_nodes.Count < 3)
        {
            var node = _scene.Node($"n{_nodes.Count}");
            if (node.Cards.Count(c => c.Healthy) < 2)
                continue;
            _nodes.Add(node.Name);
            await Decide<NodeEvent>(journal, Streams.Node(node.Name), _ => new NodeEvent.DevicesRegistered(node.Name, node.Cards, node.Links));
            await Task.WhenAll(node.Cordoned.Select(u => Decide<NodeEvent>(journal, Streams.Node(node.Name), _ => new NodeEvent.DeviceCordoned(u))));
        }
        for (var step = 0; step < steps; step++)
            await Task.WhenAll(Enumerable.Range(0, _random.Next(1, 5)).Select(_ => Step(journal)));
    }

    private Task Step(TestJournal journal)
    {
        var (choice, node) = (_random.Next(12), _nodes[_random.Next(_nodes.Count)]);
        var live = journal.Journal.Ledger.LiveByPod.OrderBy(l => l.Key, StringComparer.Ordinal).ToList();
        if (choice < 5 && live.Count > 0)
        {
            var (pod, (id, on)) = live[_random.Next(live.Count)];
            return Decide(journal, Streams.Node(on), ledger => choice switch
            {
                0 => ConfirmBoundDecider.Decide(new(pod, id), ledger),
                1 => ConfirmAttachedDecider.Decide(new(pod, id), ledger),
                2 => ShrinkAllocationDecider.Decide(new(pod, id), ledger),
                _ => ReleaseAllocationDecider.Decide(new(pod, id, ReleaseReason.Completed), ledger),
            });
        }
        // Most random pods find no node; small ones fill the cards.
        var ask = _random.Next(2) == 0 ? _scene.Pod($"pod-{_pods++}") : Asks.Pod($"pod-{_pods++}", memoryMiB: _random.Next(1, 9) * 500);
        if (choice == 5)
        {
            var quota = new NamespaceQuota("team", _random.Next(2, 12) * 20000L, _random.Next(2) == 0 ? null : 500);
            return Decide<QuotaEvent>(journal, Streams.Quota("default"), ledger => ObserveQuotaDecider.Decide(new ObserveQuotas("default", [quota]), ledger));
        }
        if (choice == 6 && journal.Journal.Ledger.Node(node).Cards is [var card, ..])
        {
            var found = new ForeignShares([new("main", false, 1, 50_000, 0, 20)], [new(0, "main", false, card.Uuid, 50_000, 20)], "the test", null);
            return Decide<NodeEvent>(journal, Streams.Node(node), ledger => AdoptAllocationDecider.Decide(new(Guid.CreateVersion7(), ask.Uid, "default", ask.Name, node, found, false), ledger));
        }
        if (choice == 7)
        {
            return Decide<PodEvent>(journal, Streams.Pod(ask.Uid), ledger => RefusePlacementDecider.Decide(
                new(ask, RefusedNodes.Of(ask, [NodeUse.Of(node, NodeLedger.Empty)], ledger.TermsFor("default")), 0, ledger.Position), ledger));
        }
        var command = Asks.Place(ask, node);
        return Decide(journal, Streams.Node(node), ledger => PlaceAllocationDecider.Decide(command, ledger));
    }

    private static Task<Verdict<T>> Decide<T>(TestJournal journal, string stream, Func<ClusterLedger, Verdict<T>> decide) where T : notnull =>
        journal.Journal.DecideAsync(stream, decide);
}
