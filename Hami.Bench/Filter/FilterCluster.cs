using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Bench.Filter;

/// <summary>A cluster in memory, half full, that changes by one node at a time; the log is not written.</summary>
internal sealed class FilterCluster : ILedgerReader, IReadiness
{
    private const int Slots = 10;
    private static readonly (string Model, long MemoryMiB)[] Models =
        [("NVIDIA A100-SXM4-40GB", 40960), ("NVIDIA-Tesla V100-SXM2-32GB", 32768), ("NVIDIA L40S", 46068)];

    private readonly Random _chance;
    private readonly int _devices;
    private readonly List<(string Node, Guid Id, string PodUid)> _live = [];
    private int _pods;

    public FilterCluster(int nodes, int devices, int seed)
    {
        _chance = new Random(seed);
        _devices = devices;
        View = new ClusterView(TimeProvider.System);
        Names = [.. Enumerable.Range(0, nodes).Select(i => $"gpu-node-{i:d5}.cluster.example")];
        foreach (var (name, i) in Names.Select((n, i) => (n, i)))
        {
            var (model, memoryMiB) = Models[i % Models.Length];
            Happened(name, new NodeEvent.DevicesRegistered(name, [.. Enumerable.Range(0, devices).Select(d =>
                new Card($"GPU-{i:x8}-0000-4000-8000-{d:x12}", d, model, memoryMiB, 100, Slots, d * 2 / devices, "hami-core", true))]));
        }
        // Half of the memory of the cluster in shares of a few sizes.
        for (var i = 0; i < nodes * devices * 3 / 2; i++)
            Place();
    }

    public ClusterView View { get; }

    public IReadOnlyList<string> Names { get; }

    public ClusterLedger Ledger { get; private set; } = ClusterLedger.Empty;

    public string? WhyNot => null;

    /// <summary>Part of the memory that is allocated.</summary>
    public double Allocated => Ledger.Nodes.Sum(n => (double)n.Value.Allocations.Values.Sum(a => a.Use.MemoryMiB))
        / Ledger.Nodes.Sum(n => (double)n.Value.Cards.Sum(c => c.MemoryMiB));

    /// <summary>One pod ends or comes on some node.</summary>
    public void Change()
    {
        if (_live.Count > 0 && _chance.Next(2) == 0)
        {
            var at = _chance.Next(_live.Count);
            var (node, id, uid) = _live[at];
            _live[at] = _live[^1];
            _live.RemoveAt(_live.Count - 1);
            Happened(node, new NodeEvent.AllocationReleased(id, uid, ReleaseReason.Completed));
        }
        else
        {
            Place();
        }
    }

    private void Place()
    {
        var node = Names[_chance.Next(Names.Count)];
        var uid = $"pod-{_pods++}";
        var (memoryMiB, cores) = _chance.Next(3) switch { 0 => (4000, 10), 1 => (12000, 30), _ => (24000, 50) };
        var ask = new PodAsk(
            uid, "default", uid, [new("main", false, 1, memoryMiB, 0, cores)], CardWish.Any, NodePolicy.Binpack, _chance.Next(2) == 0 ? CardPolicy.Spread : CardPolicy.Binpack);
        var id = new Guid(_pods, 0, 0, new byte[8]);
        var verdict = PlaceAllocationDecider.Decide(new(id, ask, node, 0, [], []), Ledger);
        if (verdict.Events is not [var placed])
            return;
        Happened(node, placed);
        _live.Add((node, id, uid));
    }

    private void Happened(string node, NodeEvent happened)
    {
        var (stream, at) = (Streams.Node(node), DateTimeOffset.UnixEpoch);
        Ledger = ClusterLedger.Evolve(Ledger, stream, at, happened) with { Position = Ledger.Position + 1 };
        View.Committed(Ledger, [new(Ledger.Position, at, stream, happened)]);
    }
}
