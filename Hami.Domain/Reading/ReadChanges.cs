namespace Hami.Domain.Reading;

/// <summary>Rows that some events changed, each as it is after the last of them; the usage ledger's are to be added to what is there.</summary>
public sealed class ReadChanges
{
    private readonly Dictionary<Guid, AllocationRow> _allocations = [];
    private readonly Dictionary<(Guid, string, int), HoldingRow> _holdings = [];
    private readonly Dictionary<string, NodeRow> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<(string, string), DeviceRow> _devices = [];
    private readonly Dictionary<(string, string, long), CardSizeRow> _sizes = [];
    private readonly Dictionary<long, RefusalRow> _refusals = [];

    public IReadOnlyCollection<AllocationRow> Allocations => _allocations.Values;

    public IReadOnlyCollection<HoldingRow> Holdings => _holdings.Values;

    public IReadOnlyCollection<NodeRow> Nodes => _nodes.Values;

    public IReadOnlyCollection<DeviceRow> Devices => _devices.Values;

    public IReadOnlyCollection<CardSizeRow> Sizes => _sizes.Values;

    public IReadOnlyCollection<RefusalRow> Refusals => _refusals.Values;

    /// <summary>What the usage ledger grew by.</summary>
    public UsageSums Usage { get; } = new();

    /// <summary>Rows that were taken from elsewhere, as if they had all changed.</summary>
    public static ReadChanges Of(OpenRows open)
    {
        ArgumentNullException.ThrowIfNull(open);
        var changes = new ReadChanges();
        foreach (var row in open.Allocations)
            changes.Put(row);
        foreach (var row in open.Holdings)
            changes.Put(row);
        foreach (var row in open.Nodes)
            changes.Put(row);
        foreach (var row in open.Devices)
            changes.Put(row);
        foreach (var row in open.Devices.Select(CardSizeRow.Of).OfType<CardSizeRow>())
            changes.Put(row);
        foreach (var row in open.Refusals)
            changes.Put(row);
        return changes;
    }

    internal void Put(AllocationRow row) => _allocations[row.Id] = row;

    internal void Put(HoldingRow row) => _holdings[(row.AllocationId, row.DeviceUuid, row.Part)] = row;

    internal void Put(NodeRow row) => _nodes[row.Name] = row;

    internal void Put(DeviceRow row) => _devices[(row.Node, row.Uuid)] = row;

    internal void Put(CardSizeRow row) => _sizes[(row.Node, row.Uuid, row.Position)] = row;

    internal void Put(RefusalRow row) => _refusals[row.Position] = row;
}
