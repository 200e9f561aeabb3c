using Hami.Domain.Allocating;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Observing;
using Hami.Domain.Placing;
using Hami.Domain.Registering;
using Hami.Domain.Releasing;
using Hami.Tests.Placing;

namespace Hami.Tests.Reading;

/// <summary>A random log by a seed, as the deciders write it: nodes that come, change, are cordoned and leave, pods that wait, hold, shrink and end.</summary>
internal sealed class AnyLog
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 21, 0, 0, TimeSpan.Zero);
    private static readonly string[] Namespaces = ["default", "team-a", "team-b"];

    private readonly Random _random;
    private readonly AnyScene _scene;
    private readonly List<(long Position, DateTimeOffset At, string Stream, object Event)> _events = [];
    private DateTimeOffset _at = Start;
    private ClusterLedger _cluster = ClusterLedger.Empty;
    private int _ids;

    public AnyLog(int seed, int steps)
    {
        (_random, _scene) = (new(seed), new(seed));
        for (var step = 0; step < steps; step++)
        {
            // Some things happen at the same instant, and some days apart.
            _at += _random.Next(4) switch
            {
                0 => TimeSpan.Zero,
                1 => TimeSpan.FromMicroseconds(_random.Next(1, 100)),
                2 => TimeSpan.FromSeconds(_random.Next(1, 20_000)),
                _ => TimeSpan.FromMicroseconds(_random.NextInt64(TimeSpan.FromHours(30).Ticks / TimeSpan.TicksPerMicrosecond)),
            };
            Step(step);
        }
    }

    public IReadOnlyList<(long Position, DateTimeOffset At, string Stream, object Event)> Events => _events;

    public ClusterLedger Cluster => _cluster;

    public DateTimeOffset End => _at;

    private string AnyNode => $"n{_random.Next(3)}";

    private void Step(int step)
    {
        switch (_random.Next(12))
        {
            case 0:
                Register(AnyNode);
                break;
            case 1:
                var node = AnyNode;
                var cards = _cluster.Node(node).Cards.Select(c => c.Uuid).Append("GPU-unseen").ToList();
                Write(Streams.Node(node), CordonDevicesDecider.Decide(new(cards.Where(_ => _random.Next(3) == 0).ToHashSet(StringComparer.Ordinal)), _cluster.Node(node)).Events);
                break;
            case 2 when _random.Next(3) == 0:
                var leaving = AnyNode;
                Write(Streams.Node(leaving), RemoveNodeDecider.Decide(new(leaving, "it left"), _cluster.Node(leaving)).Events);
                break;
            case 3:
                Adopt(AnyNode, $"pod-{_random.Next(30)}");
                break;
            case 4:
                Refuse($"pod-{_random.Next(30)}", step);
                break;
            case 5 when _cluster.Waiting.Count > 0:
                var gone = _cluster.Waiting.Keys.Order(StringComparer.Ordinal).First();
                Write(Streams.Pod(gone), WithdrawWorkloadDecider.Decide(new(gone), _cluster).Events);
                break;
            case 6 or 7 or 8 when Live() is { } pod:
                Advance(pod.Uid, pod.Held);
                break;
            default:
                Place(AnyNode, $"pod-{_random.Next(30)}");
                break;
        }
    }

    private (string Uid, LiveAllocation Held)? Live()
    {
        var live = _cluster.LiveByPod.OrderBy(l => l.Key, StringComparer.Ordinal).ToList();
        return live.Count == 0 ? null : (live[_random.Next(live.Count)] is var (uid, held) ? (uid, held) : default);
    }

    private void Register(string name)
    {
        var cards = _scene.Node(name).Cards;
        if (cards.Count > 0)
            Write(Streams.Node(name), [new NodeEvent.DevicesRegistered(name, cards)]);
    }

    private void Place(string node, string pod)
    {
        var ask = Ask(pod);
        if (_cluster.Node(node).Cards.Count == 0)
            Register(node);
        var command = new PlaceAllocation(NextId(), ask, node, 1, [], []);
        Write(Streams.Node(node), PlaceAllocationDecider.Decide(command, _cluster).Events);
    }

    private PodAsk Ask(string pod) => _scene.Pod(pod) with
    {
        Namespace = Namespaces[_random.Next(Namespaces.Length)],
        Owner = _random.Next(3) == 0 ? null : new("Job", $"job-{_random.Next(3)}"),
    };

    private void Adopt(string node, string pod)
    {
        var cards = _cluster.Node(node).Cards;
        if (cards.Count == 0 || _cluster.LiveByPod.ContainsKey(pod))
            return;
        // What others gave away may be more than the card, and may be on a card that is not there.
        List<Share> shares =
        [
            .. Enumerable.Range(0, _random.Next(1, 4)).Select(i => new Share(
                i, $"c{i}", i == 0 && _random.Next(3) == 0, _random.Next(8) == 0 ? "GPU-unseen" : cards[_random.Next(cards.Count)].Uuid, _random.Next(0, 50) * 1000, _random.Next(3) * 50)),
        ];
        Write(Streams.Node(node), [new NodeEvent.AllocationAdopted(NextId(), pod, "team-a", pod, node, 4, shares, "found", _random.Next(2) == 0, new("Deployment", "serve"))]);
    }

    private void Refuse(string pod, int step)
    {
        if (_cluster.LiveByPod.ContainsKey(pod))
            return;
        var reason = _random.Next(2) == 0 ? "CardInsufficientMemory" : "CardTypeMismatch";
        Write(Streams.Pod(pod), [new PodEvent.PlacementRefused(pod, "default", pod, $"for {reason}", [new(reason, _random.Next(1, 3), ["n1"])], step)]);
    }

    private void Advance(string pod, LiveAllocation held) => Write(
        Streams.Node(held.Node),
        _random.Next(5) switch
        {
            0 => ConfirmBoundDecider.Decide(new(pod, held.Id), _cluster).Events,
            1 => ConfirmAttachedDecider.Decide(new(pod, held.Id), _cluster).Events,
            2 => ShrinkAllocationDecider.Decide(new(pod, held.Id), _cluster).Events,
            _ => ReleaseAllocationDecider.Decide(new(pod, held.Id, (ReleaseReason)_random.Next(4)), _cluster).Events,
        });

    private Guid NextId() => new(++_ids, 0, 0, new byte[8]);

    private void Write(string stream, IReadOnlyList<object> events)
    {
        foreach (var happened in events)
        {
            _cluster = ClusterLedger.Evolve(_cluster, stream, _at, happened);
            // Positions have gaps.
            _events.Add(((_events.Count > 0 ? _events[^1].Position : 0) + _random.Next(1, 3), _at, stream, happened));
        }
    }
}
