using CsCheck;
using Hami.Api.Plumbing;
using Hami.Domain.Allocating;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Domain.Registering;
using Hami.Domain.Releasing;

namespace Hami.Tests.Given;

/// <summary>What may happen in a cluster, by seed: every kind of event, decided by the product.</summary>
internal sealed class LogScript(int seed)
{
    private static readonly DateTimeOffset Start = new(2026, 11, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly Random _random = new(seed);

    /// <summary>Histories of up to two hundred steps.</summary>
    public static Gen<List<Recorded>> Histories { get; } = Gen.Select(Gen.Int, Gen.Int[1, 200], Of);

    /// <summary>A history in memory; its times are a few minutes apart.</summary>
    public static List<Recorded> Of(int seed, int steps)
    {
        var (script, ledger, log) = (new LogScript(seed), ClusterLedger.Empty, new List<Recorded>());
        var at = Start;
        for (var step = 0; step < steps; step++)
        {
            at += TimeSpan.FromMinutes(script._random.Next(1, 400));
            var (stream, decide) = script.Next(ledger);
            foreach (var happened in decide(ledger))
            {
                log.Add(new(log.Count + 1, at, stream, happened));
                ledger = ClusterLedger.Evolve(ledger, stream, at, happened) with { Position = log.Count };
            }
        }
        return log;
    }

    /// <summary>Lets it happen through a journal.</summary>
    public static async Task WriteAsync(TestJournal journal, int seed, int steps)
    {
        var script = new LogScript(seed);
        for (var step = 0; step < steps; step++)
            await script.StepAsync(journal);
    }

    /// <summary>Lets the next thing happen through a journal.</summary>
    public async Task StepAsync(TestJournal journal)
    {
        var (stream, decide) = Next(journal.Journal.Ledger);
        await journal.Journal.DecideAsync<object>(stream, ledger => new([.. decide(ledger)], null));
    }

    private (string Stream, Func<ClusterLedger, IEnumerable<object>> Decide) Next(ClusterLedger now)
    {
        var node = $"node-{_random.Next(4)}";
        var pod = $"pod-{_random.Next(30)}";
        var live = now.LiveByPod.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => (Pod: l.Key, l.Value.Id, l.Value.Node)).ToList();
        var held = live.Count > 0 ? live[_random.Next(live.Count)] : default;
        var reason = (ReleaseReason)_random.Next(4);
        var id = new Guid(_random.Next(), (short)seed, 0, new byte[8]);
        switch (_random.Next(20))
        {
            case 0 or 1:
                var cards = Enumerable.Range(0, _random.Next(1, 4)).Select(i => Asks.Card($"GPU-{node}-{i}", memoryMiB: _random.Next(1, 3) * 20480, index: i)).ToList();
                return (Streams.Node(node), _ => [new NodeEvent.DevicesRegistered(node, cards, cards.Count < 2 ? null : [new(cards[0].Uuid, cards[1].Uuid, 40)])]);
            case 2:
                var cordoned = now.Node(node).Cards.Where(_ => _random.Next(2) == 0).Select(c => c.Uuid).ToHashSet(StringComparer.Ordinal);
                return (Streams.Node(node), ledger => CordonDevicesDecider.Decide(new(cordoned), ledger.Node(node)).Events);
            case 3 when _random.Next(3) == 0:
                return (Streams.Node(node), ledger => RemoveNodeDecider.Decide(new(node, "it left the cluster"), ledger.Node(node)).Events);
            case 4:
                var limit = _random.Next(1, 8) * 8000;
                return (Streams.Quota("default"), _ => [new QuotaEvent.QuotaChanged("default", limit > 48000 ? [] : [new("q", limit, limit > 24000 ? null : 150)])]);
            case 5:
                var policy = _random.Next(2) == 0 ? NodePolicy.Spread : NodePolicy.Binpack;
                return (Streams.Policy, ledger => ChangePolicyDecider.Decide(new(new(policy, new("spread")), "an admin"), ledger).Events);
            case 6:
                return (Streams.Policy, ledger => LearnWorkloadDecider.Decide(new(), ledger).Events);
            case 7 when !now.LiveByPod.ContainsKey(pod):
                var refusal = new PodEvent.PlacementRefused(pod, "default", pod, "0/4 nodes", [new("CardInsufficientMemory", _random.Next(1, 9), [node])], now.Position);
                return (Streams.Pod(pod), ledger => ledger.LiveByPod.ContainsKey(pod) ? [] : [refusal]);
            case 8:
                return (Streams.Pod(pod), ledger => WithdrawWorkloadDecider.Decide(new(pod), ledger).Events);
            case 9 when !now.LiveByPod.ContainsKey(pod) && now.Node(node).Cards.Count > 0:
                var adopted = new NodeEvent.AllocationAdopted(
                    id, pod, "other", pod, node, 1, [new(0, "main", false, now.Node(node).Cards[0].Uuid, 5000, 10)], "its annotations", _random.Next(2) == 0);
                return (Streams.Node(node), ledger => ledger.LiveByPod.ContainsKey(pod) ? [] : [adopted]);
            case 10 when held.Pod is not null:
                return (Streams.Node(held.Node), ledger => ConfirmBoundDecider.Decide(new(held.Pod, held.Id), ledger).Events);
            case 11 or 12 when held.Pod is not null:
                return (Streams.Node(held.Node), ledger => ConfirmAttachedDecider.Decide(new(held.Pod, held.Id), ledger).Events);
            case 13 when held.Pod is not null:
                return (Streams.Node(held.Node), ledger => ShrinkAllocationDecider.Decide(new(held.Pod, held.Id), ledger).Events);
            case 14 or 15 when held.Pod is not null:
                return (Streams.Node(held.Node), ledger => ReleaseAllocationDecider.Decide(new(held.Pod, held.Id, reason), ledger).Events);
            default:
                var ask = new PodAsk(
                    pod, "default", pod, [new("init", true, _random.Next(2), 4000, 0, 20), new("main", false, 1, _random.Next(1, 5) * 4000, 0, _random.Next(4) * 25)],
                    CardWish.Any, NodePolicy.Binpack, new("spread"));
                return (Streams.Node(node), ledger => PlaceAllocationDecider.Decide(new(id, ask, node, 2, [], []), ledger).Events);
        }
    }
}
