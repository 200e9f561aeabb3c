using System.Globalization;
using Hami.Api.Plumbing;
using Hami.Domain.Allocating;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Domain.Registering;
using Hami.Domain.Releasing;

namespace Hami.Bench.History;

/// <summary>An event, and what is true after it.</summary>
internal sealed record Happening(Recorded Event, ClusterLedger After);

/// <summary>A busy cluster by seed: pods come, wait, hold and end, cards fail and come back. What becomes of them the product's own deciders say.</summary>
/// <param name="longestEpoch">Events of a node's stream before the next begins.</param>
internal sealed class SimulatedCluster(int nodes, int seed, int longestEpoch = Epochs.Longest)
{
    public const int CardsOfANode = 8;

    // A million in ninety days on two hundred nodes; as busy with more or fewer.
    private const double PodsPerHourAndNode = 1_000_000 / (90.0 * 24 * 200);
    private const int TriesAfterARelease = 4;

    private static readonly DateTimeOffset Start = new(2026, 1, 5, 0, 0, 0, TimeSpan.Zero);
    private static readonly string[] Namespaces = [.. Enumerable.Range(0, 16).Select(i => $"team-{(char)('a' + i)}")];

    private readonly Random _chance = new(seed);
    private readonly PriorityQueue<Action, (DateTimeOffset At, long Turn)> _due = new();
    private readonly List<Happening> _happened = [];
    private readonly List<PodAsk> _waiting = [];
    private readonly Dictionary<string, int> _index = new(StringComparer.Ordinal);
    private readonly NodeUse[] _uses = new NodeUse[nodes];
    private readonly Dictionary<string, double> _hours = new(StringComparer.Ordinal);
    private ClusterLedger _cluster = ClusterLedger.Empty;
    private DateTimeOffset _now = Start;
    private long _turn;
    private int _pods;
    private int _placed;

    /// <summary>What happens until so many pods have been placed.</summary>
    public IEnumerable<Happening> Run(int allocations)
    {
        Begin();
        while (_placed < allocations && _due.TryDequeue(out var action, out var due))
        {
            // No two decisions share a moment: each is a commit of its own.
            _now = due.At > _now ? due.At : _now.AddMicroseconds(1);
            action();
            foreach (var happening in _happened)
                yield return happening;
            _happened.Clear();
        }
    }

    private void Begin()
    {
        Write(Streams.Policy, ChangePolicyDecider.Decide(new(PlacementPolicy.Default, "hami-api"), _cluster));
        for (var n = 0; n < nodes; n++)
        {
            var name = $"gpu-node-{n:d4}";
            _index[name] = n;
            Write<NodeEvent>(Streams.Node(name), new NodeEvent.DevicesRegistered(name, Cards(n, broken: -1)));
            var number = n;
            In(Hours(_chance.NextDouble() * 48), () => Break(number));
        }
        foreach (var limited in Namespaces[^2..])
            Write<QuotaEvent>(Streams.Quota(limited), new QuotaEvent.QuotaChanged(limited, [new("gpu", 120L * 81920, 12_000)]));
        In(TimeSpan.Zero, Arrive);
    }

    private void Arrive()
    {
        // Busier by day than by night.
        var busy = 1 + (0.5 * Math.Sin((_now - Start).TotalDays * 2 * Math.PI));
        In(Hours(-Math.Log(1 - _chance.NextDouble()) / (PodsPerHourAndNode * nodes * busy)), Arrive);
        var kind = PodKind.Any(_chance);
        var number = _pods++;
        var owner = kind.OwnerKind is "Job" ? $"{kind.Name}-{number / 4}" : $"{kind.Name}-{_chance.Next(20)}";
        var ask = kind.Ask(Id().ToString(), Namespaces[_chance.Next(Namespaces.Length)], owner, string.Create(CultureInfo.InvariantCulture, $"{owner}-{number:x6}"));
        _hours[ask.Uid] = kind.MedianHours * LogNormal();
        Write(Streams.Policy, LearnWorkloadDecider.Decide(new(), _cluster));
        if (TryPlace(ask))
            return;
        _waiting.Add(ask);
        In(Hours(6 * LogNormal()), () => Withdraw(ask));
        Refuse(ask);
    }

    private bool TryPlace(PodAsk ask)
    {
        var choice = NodeChoice.Among(ask, _uses, _cluster.TermsFor(ask.Namespace).For(ask, 81920));
        if (choice.Best is not { } best)
            return false;
        var (id, stream) = (Id(), Streams.Node(best.Node.Name));
        Write(stream, PlaceAllocationDecider.Decide(new(id, ask, best.Node.Name, choice.Fitting, choice.RunnersUp, []), _cluster));
        _placed++;
        _hours.Remove(ask.Uid, out var hours);
        if (_chance.Next(200) == 0)
        {
            In(TimeSpan.FromSeconds(5), () => Release(ask.Uid, id, stream, ReleaseReason.BindFailed));
            return true;
        }
        var bound = TimeSpan.FromMilliseconds(20 + _chance.Next(200));
        var attached = bound + TimeSpan.FromSeconds(1 + (4 * LogNormal()));
        In(bound, () => Write(stream, ConfirmBoundDecider.Decide(new(ask.Uid, id), _cluster)));
        In(attached, () => Write(stream, ConfirmAttachedDecider.Decide(new(ask.Uid, id), _cluster)));
        if (ask.Containers.Count > 1)
            In(attached + Hours(hours / 10), () => Write(stream, ShrinkAllocationDecider.Decide(new(ask.Uid, id), _cluster)));
        var reason = _chance.Next(100) switch { < 86 => ReleaseReason.Completed, < 94 => ReleaseReason.Failed, _ => ReleaseReason.Deleted };
        In(attached + Hours(hours), () => Release(ask.Uid, id, stream, reason));
        return true;
    }

    private void Release(string pod, Guid id, string stream, ReleaseReason reason)
    {
        Write(stream, ReleaseAllocationDecider.Decide(new(pod, id, reason), _cluster));
        for (var (at, tries) = (0, 0); at < _waiting.Count && tries < TriesAfterARelease; tries++)
        {
            if (TryPlace(_waiting[at]))
                _waiting.RemoveAt(at);
            else
                at++;
        }
    }

    private void Refuse(PodAsk ask)
    {
        if (!_waiting.Contains(ask))
            return;
        Write(Streams.Pod(ask.Uid), RefusePlacementDecider.Decide(new(ask, RefusedNodes.Of(ask, _uses, _cluster.TermsFor(ask.Namespace).For(ask, 81920)), 0, _cluster.Position), _cluster));
        In(TimeSpan.FromMinutes(30), () => Refuse(ask));
    }

    private void Withdraw(PodAsk ask)
    {
        if (!_waiting.Remove(ask))
            return;
        _hours.Remove(ask.Uid);
        Write(Streams.Pod(ask.Uid), WithdrawWorkloadDecider.Decide(new(ask.Uid), _cluster));
    }

    /// <summary>A card of the node fails, or is cordoned, for a while.</summary>
    private void Break(int n)
    {
        var (name, card) = ($"gpu-node-{n:d4}", _chance.Next(CardsOfANode));
        if (_chance.Next(4) == 0)
        {
            Cordon([Uuid(n, card)]);
            In(Hours(4 * LogNormal()), () => Cordon([]));
        }
        else
        {
            Register(card);
            In(Hours(LogNormal()), () => Register(-1));
        }
        In(Hours(24 + (_chance.NextDouble() * 72)), () => Break(n));

        void Register(int broken) => Write<NodeEvent>(Streams.Node(name), new NodeEvent.DevicesRegistered(name, Cards(n, broken)));
        void Cordon(string[] uuids) => Write(Streams.Node(name), CordonDevicesDecider.Decide(new(uuids.ToHashSet(StringComparer.Ordinal)), _cluster.Node(name)));
    }

    private void Write<T>(string stream, Verdict<T> verdict) where T : notnull
    {
        foreach (var happened in verdict.Events)
            Write(_cluster.Current(stream), happened);
        if (verdict.Events.Count == 0 || Streams.NodeOf(stream) is not { } node)
            return;
        if (Epochs.Next(_cluster, stream, longestEpoch, EventHash.Genesis) is { } next)
            Write(Streams.Node(node, next.Epoch), next);
        if (verdict.Events is not [NodeEvent.AllocationBound or NodeEvent.AllocationAttached])
            _uses[_index[node]] = NodeUse.Of(node, _cluster.Node(node));
    }

    private void Write(string stream, object happened)
    {
        _cluster = ClusterLedger.Evolve(_cluster, stream, _now, happened) with { Position = _cluster.Position + 1 };
        _happened.Add(new(new(_cluster.Position, _now, stream, happened), _cluster));
    }

    // In whole microseconds, as PostgreSQL keeps them.
    private void In(TimeSpan later, Action action) =>
        _due.Enqueue(action, (_now.AddTicks(later.Ticks - (later.Ticks % TimeSpan.TicksPerMicrosecond)), _turn++));

    private static TimeSpan Hours(double hours) => TimeSpan.FromHours(hours);

    private double LogNormal() => Math.Exp(Math.Sqrt(-2 * Math.Log(1 - _chance.NextDouble())) * Math.Cos(2 * Math.PI * _chance.NextDouble()));

    /// <summary>In order of time, as the product's are.</summary>
    private Guid Id()
    {
        Span<byte> bytes = stackalloc byte[16];
        _chance.NextBytes(bytes);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(bytes, (_now.ToUnixTimeMilliseconds() << 16) | 0x7000L | (uint)_chance.Next(0x1000));
        bytes[8] = (byte)(0x80 | (bytes[8] & 0x3f));
        return new(bytes, bigEndian: true);
    }

    private static Card[] Cards(int n, int broken) =>
        [.. Enumerable.Range(0, CardsOfANode).Select(i => new Card(Uuid(n, i), i, "NVIDIA A100-SXM4-80GB", 81920, 100, 10, i / 4, "hami-core", i != broken))];

    private static string Uuid(int n, int card) => $"GPU-{n:x8}-0000-4000-8000-{card:x12}";
}
