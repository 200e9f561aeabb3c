using Hami.Domain.Ledger;

namespace Hami.Domain.Replaying;

/// <summary>The cluster at two moments, and what lies between them.</summary>
/// <param name="Before">In numbers at the first.</param>
/// <param name="After">In numbers at the second.</param>
/// <param name="Came">What pods hold at the second that they did not at the first, of the namespaces that you may see; at most 500, by namespace and pod.</param>
/// <param name="Went">What pods held at the first and hold no more at the second; at most 500, by namespace and pod.</param>
/// <param name="Stayed">How many allocations are held at both.</param>
/// <param name="CameCount">How many came.</param>
/// <param name="WentCount">How many went.</param>
/// <param name="NodesCame">Nodes that have cards at the second and had none at the first.</param>
/// <param name="NodesWent">Nodes that had cards at the first and have none at the second.</param>
/// <param name="DevicesChanged">Cards that came, went, or are otherwise; at most 500, by node and index.</param>
public sealed record ClusterComparison(
    ClusterSummary Before, ClusterSummary After, IReadOnlyList<HeldAtMoment> Came, IReadOnlyList<HeldAtMoment> Went, int Stayed, int CameCount, int WentCount,
    IReadOnlyList<string> NodesCame, IReadOnlyList<string> NodesWent, IReadOnlyList<DeviceDifference> DevicesChanged)
{
    private const int Most = 500;

    /// <summary>Compares two states, of the later one and the earlier one in whatever order.</summary>
    /// <param name="sees">Of which namespaces allocations are told.</param>
    public static ClusterComparison Of(ClusterSums before, DateTimeOffset from, ClusterSums after, DateTimeOffset to, Func<string, bool> sees)
    {
        var (came, went, stayed) = (new List<HeldAtMoment>(), new List<HeldAtMoment>(), 0);
        var devices = new List<DeviceDifference>();
        foreach (var (name, then) in before.Nodes)
        {
            if (after.Nodes.TryGetValue(name, out var now) && ReferenceEquals(then.Ledger, now.Ledger))
                stayed += then.Namespaces.Where(n => sees(n.Namespace)).Sum(n => n.Pods);
            else
                Differ(name, then.Ledger, now?.Ledger ?? NodeLedger.Empty);
        }
        foreach (var (name, now) in after.Nodes.Where(n => !before.Nodes.ContainsKey(n.Key)))
            Differ(name, NodeLedger.Empty, now.Ledger);
        return new(
            ClusterSummary.Of(before, from, sees), ClusterSummary.Of(after, to, sees), First(came), First(went), stayed, came.Count, went.Count,
            WithCards(after, before), WithCards(before, after), [.. devices.OrderBy(d => d.Node, StringComparer.Ordinal).Take(Most)]);

        void Differ(string node, NodeLedger then, NodeLedger now)
        {
            came.AddRange(Only(now, then));
            went.AddRange(Only(then, now));
            stayed += then.Allocations.Values.Count(a => sees(a.Namespace) && now.Allocations.ContainsKey(a.Id));
            devices.AddRange(DeviceDifference.Of(node, then, now));

            IEnumerable<HeldAtMoment> Only(NodeLedger one, NodeLedger other) =>
                one.Allocations.Values.Where(a => sees(a.Namespace) && !other.Allocations.ContainsKey(a.Id)).Select(a => HeldAtMoment.Of(node, a));
        }
    }

    private static IReadOnlyList<HeldAtMoment> First(IEnumerable<HeldAtMoment> held) =>
    [
        .. held.OrderBy(h => h.Namespace, StringComparer.Ordinal).ThenBy(h => h.Pod, StringComparer.Ordinal).ThenBy(h => h.AllocationId).Take(Most),
    ];

    private static IReadOnlyList<string> WithCards(ClusterSums one, ClusterSums other) =>
        [.. one.Nodes.Where(n => n.Value.Uses.Count > 0 && other.Nodes.GetValueOrDefault(n.Key) is not { Uses.Count: > 0 }).Select(n => n.Key).Order(StringComparer.Ordinal)];
}

/// <summary>What one pod holds at a moment.</summary>
/// <param name="AllocationId">Id of the allocation.</param>
/// <param name="PodUid">UID of the pod.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Pod">Its name.</param>
/// <param name="Node">Name of the node.</param>
/// <param name="MemoryMiB">Device memory in MiB, over all cards.</param>
/// <param name="Cores">Percent of one card, summed over all cards.</param>
/// <param name="Devices">How many cards it holds a part of.</param>
public sealed record HeldAtMoment(Guid AllocationId, string PodUid, string Namespace, string Pod, string Node, long MemoryMiB, long Cores, int Devices)
{
    internal static HeldAtMoment Of(string node, Allocation a) => new(
        a.Id, a.PodUid, a.Namespace, a.Pod, node, a.Use.MemoryMiB, a.Use.Cores, a.Held.Select(s => s.DeviceUuid).Distinct(StringComparer.Ordinal).Count());
}

/// <summary>A card that is not the same at two moments.</summary>
/// <param name="Node">Name of the Kubernetes node.</param>
/// <param name="Uuid">UUID of the physical card.</param>
/// <param name="Type">Product name as registered.</param>
/// <param name="What">What differs, in a sentence.</param>
public sealed record DeviceDifference(string Node, string Uuid, string Type, string What)
{
    internal static IEnumerable<DeviceDifference> Of(string node, NodeLedger before, NodeLedger after)
    {
        if (ReferenceEquals(before.Cards, after.Cards) && ReferenceEquals(before.Cordoned, after.Cordoned))
            return [];
        var (then, now) = (Cards(before), Cards(after));
        return then.Values.Concat(now.Values.Where(c => !then.ContainsKey(c.Uuid))).OrderBy(c => c.Index).ThenBy(c => c.Uuid, StringComparer.Ordinal)
            .Select(c => (Card: now.GetValueOrDefault(c.Uuid, c), What: What(then.GetValueOrDefault(c.Uuid), now.GetValueOrDefault(c.Uuid))))
            .Where(d => d.What.Length > 0)
            .Select(d => new DeviceDifference(node, d.Card.Uuid, d.Card.Model, d.What));

        string What(Card? a, Card? b) => (a, b) switch
        {
            (null, _) => "It came.",
            (_, null) => "It went.",
            _ => Sentence(Changes(a, b)),
        };

        IEnumerable<string?> Changes(Card a, Card b)
        {
            yield return (a.Healthy, b.Healthy) switch { (true, false) => "it became unhealthy", (false, true) => "it became healthy", _ => null };
            yield return (before.Cordoned.Contains(a.Uuid), after.Cordoned.Contains(b.Uuid)) switch { (false, true) => "it was cordoned", (true, false) => "it was uncordoned", _ => null };
            yield return Changed("its mode", a.Mode, b.Mode);
            yield return Changed("its memory", $"{a.MemoryMiB} MiB", $"{b.MemoryMiB} MiB");
            yield return Changed("its compute", $"{a.Cores} %", $"{b.Cores} %");
            yield return Changed("its slots", $"{a.Slots}", $"{b.Slots}");
            yield return Changed("its product name", a.Model, b.Model);
            yield return Changed("its index", $"{a.Index}", $"{b.Index}");
            yield return Changed("its NUMA node", $"{a.Numa}", $"{b.Numa}");
        }
    }

    // A card that its agent names twice is one.
    private static Dictionary<string, Card> Cards(NodeLedger node) =>
        node.Cards.GroupBy(c => c.Uuid, StringComparer.Ordinal).ToDictionary(c => c.Key, c => c.First(), StringComparer.Ordinal);

    private static string? Changed(string what, string from, string to) => from == to ? null : $"{what} changed from {from} to {to}";

    private static string Sentence(IEnumerable<string?> changes) =>
        string.Join("; ", changes.OfType<string>()) is { Length: > 0 } all ? $"{char.ToUpperInvariant(all[0])}{all[1..]}." : "";
}
