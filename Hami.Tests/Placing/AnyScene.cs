using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Tests.Placing;

/// <summary>Random clusters and pods by a seed: small numbers, so that cards fill up, tie and refuse for every reason.</summary>
internal sealed class AnyScene(int seed)
{
    public static readonly IReadOnlyList<MigProfile> A100Profiles =
    [
        new("1g.5gb", 4864, 14, 1, [.. Enumerable.Range(0, 7).Select(i => new MigPlacement(i, 1))]),
        new("2g.10gb", 9984, 28, 2, [new(0, 2), new(2, 2), new(4, 2)]),
        new("3g.20gb", 20096, 42, 3, [new(0, 4), new(4, 4)]),
        new("4g.20gb", 20096, 57, 4, [new(0, 4)]),
        new("7g.40gb", 40448, 100, 7, [new(0, 8)]),
    ];

    private static readonly string[] Models = ["NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB", "Tesla V100-32GB", "NVIDIA-A10"];
    private static readonly string[] CardWords = ["binpack", "spread", "topology-aware", "mutex", "numa"];

    private readonly Random _random = new(seed);

    public List<SlowNode> Nodes(int most = 4) => [.. Enumerable.Range(0, _random.Next(1, most + 1)).Select(i => Node($"n{_random.Next(100)}-{i}"))];

    public SlowNode Node(string name)
    {
        var (mig, numas) = (Chance(30), _random.Next(1, 4));
        Card[] cards = [.. Enumerable.Range(0, _random.Next(0, 9)).Select(i => Card($"{name}-g{i}", i, mig && Chance(70), _random.Next(numas)))];
        CardLink[] links = Chance(60)
            ? [.. cards.SelectMany(a => cards.Where(b => b != a && Chance(80)).Select(b => new CardLink(a.Uuid, b.Uuid, _random.Next(-2, 5))))]
            : [];
        var cordoned = cards.Where(_ => Chance(8)).Select(c => c.Uuid).ToHashSet(StringComparer.Ordinal);
        var node = new SlowNode(name, cards, links, cordoned, []);
        for (var p = _random.Next(0, 7); p > 0 && cards.Length > 0; p--)
        {
            // Most hold what they were given; some were adopted and hold what was never theirs to have.
            var shares = Chance(85) ? SlowPlacement.Try(node, Pod($"there-{p}")).Shares : Adopted(cards);
            if (shares is not null)
                node = node with { Pods = [.. node.Pods, shares] };
        }
        return node;
    }

    public PodAsk Pod(string uid)
    {
        // Pods of one container are answered by another way than those of several; both must be met often.
        var containers = Chance(40)
            ? [Container(0, ends: false)]
            : Enumerable.Range(0, _random.Next(1, 5)).Select(i => Container(i, ends: Chance(40))).ToArray();
        if (Array.TrueForAll(containers, c => c.Count == 0))
            containers[0] = containers[0] with { Count = 1, MemoryMiB = 1000 };
        return new(
            uid, "default", uid, containers, Chance(60) ? CardWish.Any : Wish(), _random.Next(3) == 0 ? NodePolicy.Spread : NodePolicy.Binpack,
            new(Chance(75) ? One(CardWords) : string.Join(',', Enumerable.Range(0, _random.Next(2, 4)).Select(_ => One(CardWords)))),
            Chance(80) ? null : new(_random.Next(3), _random.Next(3), 1 + _random.Next(3)));
    }

    public QuotaRoom Quota() => Chance(75)
        ? QuotaRoom.Unlimited
        : new(Chance(70) ? _random.Next(0, 12) * 4000L : null, Chance(50) ? _random.Next(0, 8) * 30L : null);

    /// <summary>The node with one change: a pod that comes or goes, or a card that turns.</summary>
    public SlowNode Changed(SlowNode node, string pod)
    {
        if (node.Cards.Count == 0 || Chance(10))
            return Node(node.Name);
        if (node.Pods.Count > 0 && Chance(40))
            return node with { Pods = [.. node.Pods.Where((_, i) => i != node.Pods.Count - 1)] };
        return SlowPlacement.Try(node, Pod(pod)).Shares is { } shares ? node with { Pods = [.. node.Pods, shares] } : node;
    }

    private Card Card(string uuid, int index, bool mig, int numa)
    {
        var model = mig ? Models[0] : One(Models);
        var memory = model.Contains("A100", StringComparison.Ordinal) ? 40960 : model.Contains("V100", StringComparison.Ordinal) ? 32768 : 24000;
        var scaling = Chance(85) ? 1 : 2;
        return mig
            ? new(uuid, index, model, memory, 100, 7, numa, "mig", Chance(95), A100Profiles)
            : new(uuid, index, model, memory * scaling, Chance(90) ? 100 : 200, One(1, 2, 3, 10), numa, Chance(95) ? "hami-core" : "mps", Chance(93));
    }

    private ContainerAsk Container(int at, bool ends)
    {
        var name = $"c{at}";
        if (Chance(20))
            return new(name, ends, 0, 0, 0, 0);
        var memory = Chance(60) ? One(1000, 2000, 4864, 5000, 9000, 10000, 20096, 30000, 40960, 50000) : 0;
        return new(
            name, ends, Chance(65) ? 1 : _random.Next(2, 4), memory, memory > 0 ? 0 : One(1, 10, 25, 50, 100, 100), One(0, 0, 0, 10, 30, 50, 100, 100));
    }

    private CardWish Wish() => new(
        Chance(20) ? [One("A100", "v100", "a10", "none")] : [], Chance(15) ? [One("A100", "v100", "a10")] : [],
        Chance(8) ? Uuids() : [], Chance(12) ? Uuids() : [], Chance(25) ? One("mig", "hami-core", "hami-core,mig", "mps") : null, Chance(45));

    // Names that exist on one node or another.
    private string[] Uuids() => [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => $"n{_random.Next(100)}-0-g{_random.Next(8)}")];

    private List<Share> Adopted(Card[] cards) =>
    [
        .. Enumerable.Range(0, _random.Next(1, 4)).Select(i =>
            new Share(i, $"c{i}", i == 0 && Chance(30), One(cards).Uuid, _random.Next(0, 50) * 1000, One(0, 0, 20, 100))),
    ];

    private bool Chance(int percent) => _random.Next(100) < percent;

    private T One<T>(params T[] values) => values[_random.Next(values.Length)];
}
