using System.Text.Json;
using Hami.Domain.Reading;

namespace Hami.Tests.Reading;

/// <summary>What PostgreSQL's tables would hold, in memory; the fold is taken up from them anew for each piece of the log.</summary>
internal sealed class Tables
{
    private readonly SortedDictionary<Guid, AllocationRow> _allocations = [];
    private readonly SortedDictionary<(Guid, string, int), HoldingRow> _holdings = [];
    private readonly SortedDictionary<string, NodeRow> _nodes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<(string, string), DeviceRow> _devices = [];
    private readonly SortedDictionary<(string, string, long), CardSizeRow> _sizes = [];
    private readonly SortedDictionary<long, RefusalRow> _refusals = [];
    private readonly UsageSums _usage = new();

    public IReadOnlyCollection<AllocationRow> Allocations => _allocations.Values;

    public IReadOnlyCollection<HoldingRow> Holdings => _holdings.Values;

    public IReadOnlyCollection<NodeRow> Nodes => _nodes.Values;

    public IReadOnlyCollection<DeviceRow> Devices => _devices.Values;

    public IReadOnlyCollection<CardSizeRow> Sizes => _sizes.Values;

    public IReadOnlyCollection<RefusalRow> Refusals => _refusals.Values;

    public IReadOnlyList<UsageRow> Usage =>
    [
        .. _usage.Usage.OrderBy(u => u.Day).ThenBy(u => u.Node, StringComparer.Ordinal).ThenBy(u => u.DeviceUuid, StringComparer.Ordinal)
            .ThenBy(u => u.Namespace, StringComparer.Ordinal).ThenBy(u => u.OwnerKind, StringComparer.Ordinal).ThenBy(u => u.OwnerName, StringComparer.Ordinal),
    ];

    public IReadOnlyList<CardDayRow> CardDays =>
        [.. _usage.Cards.OrderBy(c => c.Day).ThenBy(c => c.Node, StringComparer.Ordinal).ThenBy(c => c.DeviceUuid, StringComparer.Ordinal)];

    public Tables Fold(IEnumerable<(long Position, DateTimeOffset At, string Stream, object Event)> events)
    {
        var models = new ReadModels(Open());
        foreach (var e in events)
            models.Apply(e.Position, e.At, e.Stream, e.Event);
        var changes = models.TakeChanges();
        foreach (var row in changes.Allocations)
            Put(row);
        foreach (var row in changes.Holdings)
            Put(row);
        foreach (var row in changes.Nodes)
            Put(row);
        foreach (var row in changes.Devices)
            Put(row);
        foreach (var row in changes.Sizes)
            Put(row);
        foreach (var row in changes.Refusals)
            Put(row);
        Add(changes.Usage);
        return this;
    }

    /// <summary>With what came after the last event of each card.</summary>
    public Tables AccountedTo(DateTimeOffset until)
    {
        var open = Open();
        var sums = new UsageSums();
        foreach (var device in open.Devices)
            sums.Add(device, [.. open.Holdings.Where(h => (h.Node, h.DeviceUuid) == (device.Node, device.Uuid)).OrderBy(h => h.Position)], until);
        Add(sums);
        return this;
    }

    public OpenRows Open() => new(
        [.. _nodes.Values.Where(n => n.RemovedAt is null)],
        [.. _devices.Values.Where(d => d.IsRegistered || d.UsedSlots > 0 || d.CordonedAt is not null)],
        [.. _allocations.Values.Where(a => a.ReleasedAt is null)],
        // In an order of their own, as a table gives them.
        [.. _holdings.Values.Where(h => h.HeldUntil is null).Reverse()],
        [.. _refusals.Values.Where(r => r.EndedAt is null)]);

    public string Text() => JsonSerializer.Serialize(new { Allocations, Holdings, Nodes, Devices, Sizes, Refusals, Usage, CardDays });

    public void Put(AllocationRow row) => _allocations[row.Id] = row;

    public void Put(HoldingRow row) => _holdings[(row.AllocationId, row.DeviceUuid, row.Part)] = row;

    public void Put(NodeRow row) => _nodes[row.Name] = row;

    public void Put(DeviceRow row) => _devices[(row.Node, row.Uuid)] = row;

    public void Put(CardSizeRow row) => _sizes[(row.Node, row.Uuid, row.Position)] = row;

    public void Put(RefusalRow row) => _refusals[row.Position] = row;

    public void Add(UsageRow row) => _usage.Add(row);

    public void Add(CardDayRow row) => _usage.Add(row);

    private void Add(UsageSums sums)
    {
        foreach (var row in sums.Usage)
            _usage.Add(row);
        foreach (var row in sums.Cards)
            _usage.Add(row);
    }
}
