using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;

namespace Hami.Api.Registering;

/// <summary>One card and what is allocated of it.</summary>
public sealed class Device
{
    private readonly NodeLedger _ledger;
    private readonly Card _card;
    private readonly CardUse _use;
    private readonly bool _isNow;

    private Device(string node, NodeLedger ledger, Card card, CardUse use, bool isNow) => (Node, _ledger, _card, _use, _isNow) = (node, ledger, card, use, isNow);

    internal static readonly Dictionary<DeviceSort, Order<Device>> Orders = new()
    {
        [DeviceSort.Node] = Order<Device>.Text("node", d => d.Node, Place),
        [DeviceSort.Type] = Order<Device>.Text("type", d => d.Type, Place),
        [DeviceSort.Memory] = Order<Device>.Number("memory", d => d.MemoryMiB, Place),
        [DeviceSort.UsedMemory] = Order<Device>.Number("usedMemory", d => d.UsedMemoryMiB, Place),
        [DeviceSort.FreeMemory] = Order<Device>.Number("freeMemory", d => d.FreeMemoryMiB, Place),
        [DeviceSort.UsedCores] = Order<Device>.Number("usedCores", d => d.UsedCores, Place),
        [DeviceSort.UsedSlots] = Order<Device>.Number("usedSlots", d => d.UsedSlots, Place),
        [DeviceSort.Uuid] = Order<Device>.Text("uuid", d => d.Uuid, Place),
        [DeviceSort.Mode] = Order<Device>.Text("mode", d => d.Mode, Place),
        [DeviceSort.Cores] = Order<Device>.Number("cores", d => d.Cores, Place),
        [DeviceSort.FreeCores] = Order<Device>.Number("freeCores", d => d.FreeCores, Place),
        [DeviceSort.Slots] = Order<Device>.Number("slots", d => d.Slots, Place),
        [DeviceSort.UsedMemoryPercent] = Order<Device>.Known("usedMemoryPercent", d => Parts.Of(d.UsedMemoryMiB, d.MemoryMiB), Place),
        [DeviceSort.UsedCoresPercent] = Order<Device>.Known("usedCoresPercent", d => Parts.Of(d.UsedCores, d.Cores), Place),
        [DeviceSort.Busy] = Order<Device>.Known("busy", d => d.Measured?.Busy, Place),
        [DeviceSort.MemoryInUse] = Order<Device>.Known("memoryInUse", d => Parts.Of(d.Measured?.MemoryBytes, d.Measured?.MemoryTotalBytes), Place),
        [DeviceSort.Temperature] = Order<Device>.Known("temperature", d => d.Measured?.TemperatureCelsius, Place),
        [DeviceSort.Power] = Order<Device>.Known("power", d => d.Measured?.PowerMilliwatt, Place),
        [DeviceSort.Health] = Order<Device>.Number("health", d => !d.Healthy ? 0 : d.Cordoned ? 1 : 2, Place),
        [DeviceSort.Numa] = Order<Device>.Number("numa", d => d.Numa, Place),
        [DeviceSort.Vendor] = Order<Device>.Text("vendor", d => d.Vendor, Place),
    };

    /// <summary>Name of the Kubernetes node.</summary>
    public string Node { get; }

    /// <summary>UUID of the physical card.</summary>
    public string Uuid => _card.Uuid;

    /// <summary>NVML index.</summary>
    public int Index => _card.Index;

    /// <summary>Product name as registered.</summary>
    public string Type => _card.Model;

    /// <summary>Who makes it.</summary>
    public string Vendor => _card.Vendor;

    /// <summary><c>hami-core</c>, <c>mig</c> or <c>mps</c>.</summary>
    public string Mode => _card.Mode;

    /// <summary>NUMA node; 0 also when unknown.</summary>
    public int Numa => _card.Numa;

    /// <summary>Device memory in MiB, memory scaling applied.</summary>
    public long MemoryMiB => _card.MemoryMiB;

    /// <summary>Device memory in MiB held by allocations.</summary>
    public long UsedMemoryMiB => _use.MemoryMiB;

    /// <summary>Device memory in MiB that nobody holds.</summary>
    public long FreeMemoryMiB => Math.Max(0, _card.MemoryMiB - _use.MemoryMiB);

    /// <summary>Percent of compute; 100 is one whole card.</summary>
    public int Cores => _card.Cores;

    /// <summary>Percent of compute held by allocations; a pod that asked for none holds none.</summary>
    public int UsedCores => _use.Cores;

    /// <summary>Percent of compute that nobody holds.</summary>
    public int FreeCores => Math.Max(0, _card.Cores - _use.Cores);

    /// <summary>How many containers may share the card.</summary>
    public int Slots => _card.Slots;

    /// <summary>How many do.</summary>
    public int UsedSlots => _use.Slots;

    /// <summary>How many more containers may share the card.</summary>
    public int FreeSlots => Math.Max(0, _card.Slots - _use.Slots);

    /// <summary>False when the node agent reported it unhealthy.</summary>
    public bool Healthy => _card.Healthy;

    /// <summary>True when an admin took it out of placement.</summary>
    public bool Cordoned => _ledger.Cordoned.Contains(_card.Uuid);

    /// <summary>The instances a card in mode <c>mig</c> can be cut into; empty for other modes.</summary>
    public IReadOnlyList<MigProfile> MigProfiles => _card.MigProfiles ?? [];

    /// <summary>Who holds which part of it, of the namespaces that you may see.</summary>
    public IEnumerable<DeviceShare> Shares([FromServices] Asker asker) => _ledger.Allocations.Values
        .Where(a => asker.Scope.Sees(a.Namespace))
        .SelectMany(a => a.Held.Where(s => s.DeviceUuid == _card.Uuid)
            .Select(s => new DeviceShare(a.Id, a.PodUid, a.Namespace, a.Pod, s.Container, s.MemoryMiB, s.Cores, s.Mig) { Node = Node, DeviceUuid = Uuid, IsNow = _isNow }))
        .OrderBy(s => s.Namespace, StringComparer.Ordinal).ThenBy(s => s.Pod, StringComparer.Ordinal).ThenBy(s => s.Container, StringComparer.Ordinal);

    /// <summary>What it does now, or did at a moment in the past, as its node's agent measured it; null when that is not known.</summary>
    public async Task<CardsUsage?> Usage([FromServices] LiveTelemetry live, CancellationToken cancellationToken) =>
        Past is { } past ? await past.OfAsync(Node, Uuid, cancellationToken)
        : _isNow ? CardsUsage.Of(live.NowOf(Node).Where(n => n.Key.DeviceUuid == Uuid)) : null;

    /// <summary>What the node's driver tells of it now beside its use; null when that is not known, and for a moment in the past.</summary>
    public DriverFacts? Driver([FromServices] LiveTelemetry live)
    {
        if (!_isNow || live.FactsOf(Node) is not { } facts || !facts.Cards.TryGetValue(Uuid, out var card))
            return null;
        return new(facts.DriverVersion, card.MemoryTemperatureCelsius, card.FanPercent, card.LastXid);
    }

    /// <summary>What the cards of its page did at a moment in the past.</summary>
    internal PageUse? Past { get; set; }

    /// <summary>What it does now, where the list is sorted by it.</summary>
    internal Measured? Measured { get; private init; }

    /// <summary>The cards of a node.</summary>
    /// <param name="measured">What they do now, where the list is sorted by it.</param>
    internal static IEnumerable<Device> Of(string node, NodeSums sums, bool isNow, IReadOnlyDictionary<string, Measured>? measured = null)
    {
        for (var i = 0; i < sums.Uses.Count; i++)
        {
            var card = sums.Ledger.Cards[i];
            yield return new(node, sums.Ledger, card, sums.Uses[i], isNow) { Measured = measured is not null && measured.TryGetValue(card.Uuid, out var m) ? m : null };
        }
    }

    // Two nodes may claim one card.
    private static string Place(Device device) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{device.Node}/{device.Index:D6}/{device.Uuid}");
}

/// <summary>What a node's driver tells of a card beside its use; what is not known is null.</summary>
/// <param name="Version">Version of the driver.</param>
/// <param name="MemoryTemperatureCelsius">Temperature of the card's memory in °C.</param>
/// <param name="FanPercent">Percent of the most that the fan is meant to turn; null for a card without one.</param>
/// <param name="LastXid">XID number of its last error since the node's agent listens; 0 for none.</param>
public sealed record DriverFacts(string? Version, int? MemoryTemperatureCelsius, int? FanPercent, int? LastXid);

/// <summary>A container's part of a card.</summary>
/// <param name="AllocationId">Id of the pod's allocation.</param>
/// <param name="PodUid">UID of the pod.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Pod">Its name.</param>
/// <param name="Container">Name of the container.</param>
/// <param name="MemoryMiB">Device memory in MiB.</param>
/// <param name="Cores">Percent of the card.</param>
/// <param name="Mig">The MIG instance, on a card in mode <c>mig</c>; else null.</param>
public sealed record DeviceShare(
    Guid AllocationId, string PodUid, string Namespace, string Pod, string Container, long MemoryMiB, int Cores, MigSlice? Mig)
{
    internal string Node { get; init; } = "";

    internal string DeviceUuid { get; init; } = "";

    internal bool IsNow { get; init; }

    /// <summary>What the container uses of it now, as the node's agent measured it; null when that is not known, and for a moment in the past.</summary>
    public ShareUsage? Usage([FromServices] LiveTelemetry live) => IsNow ? ShareUsage.Of(live.NowOf(Node).Where(n => n.Key == new UseKey(DeviceUuid, PodUid, Container))) : null;
}

/// <summary>Which cards; what is left out is not asked for.</summary>
public sealed class DeviceFilter
{
    /// <summary>Only cards of this node.</summary>
    public string? Node { get; init; }

    /// <summary>Only the card of this UUID.</summary>
    public string? Uuid { get; init; }

    /// <summary>Only cards in whose UUID this occurs.</summary>
    public string? UuidContains { get; init; }

    /// <summary>Only cards in whose product name this occurs.</summary>
    public string? TypeContains { get; init; }

    /// <summary>Only cards of this mode: <c>hami-core</c>, <c>mig</c> or <c>mps</c>.</summary>
    public string? Mode { get; init; }

    /// <summary>Only healthy cards, or only others.</summary>
    public bool? Healthy { get; init; }

    /// <summary>Only cards taken out of placement, or only others.</summary>
    public bool? Cordoned { get; init; }

    /// <summary>Only cards of which somebody holds a part, or only others.</summary>
    public bool? Used { get; init; }

    /// <summary>Only cards with so much device memory in MiB that nobody holds.</summary>
    public long? FreeMemoryMiB { get; init; }

    /// <summary>Only cards in whose UUID, product name or node's name this occurs.</summary>
    public string? Search { get; init; }

    /// <summary>Only cards of this product name.</summary>
    public string? Type { get; init; }

    /// <summary>Only cards of this vendor.</summary>
    public string? Vendor { get; init; }

    internal bool Takes(Device device) =>
        Match.Is(Node, device.Node) && Match.Is(Uuid, device.Uuid) && Match.Has(UuidContains, device.Uuid) && Match.Has(TypeContains, device.Type)
        && Match.Is(Mode, device.Mode) && Match.Is(Healthy, device.Healthy) && Match.Is(Cordoned, device.Cordoned) && Match.Is(Used, device.UsedSlots > 0)
        && (FreeMemoryMiB is not { } free || device.FreeMemoryMiB >= free) && Match.Is(Type, device.Type) && Match.Is(Vendor, device.Vendor)
        && (Search is null || Match.Has(Search, device.Uuid) || Match.Has(Search, device.Type) || Match.Has(Search, device.Node));
}

/// <summary>What cards are sorted by; what is not known comes last.</summary>
public enum DeviceSort
{
    /// <summary>Node, and the index on it.</summary>
    Node,

    /// <summary>Product name.</summary>
    Type,

    /// <summary>Device memory.</summary>
    Memory,

    /// <summary>Device memory held.</summary>
    UsedMemory,

    /// <summary>Device memory that nobody holds.</summary>
    FreeMemory,

    /// <summary>Compute held.</summary>
    UsedCores,

    /// <summary>Containers that share it.</summary>
    UsedSlots,

    /// <summary>UUID.</summary>
    Uuid,

    /// <summary>Mode.</summary>
    Mode,

    /// <summary>Compute.</summary>
    Cores,

    /// <summary>Containers that may share it.</summary>
    Slots,

    /// <summary>Compute that nobody holds.</summary>
    FreeCores,

    /// <summary>Part of the compute that is held.</summary>
    UsedCoresPercent,

    /// <summary>Part of the device memory that is held.</summary>
    UsedMemoryPercent,

    /// <summary>How busy it is now.</summary>
    Busy,

    /// <summary>Part of the device memory in use now.</summary>
    MemoryInUse,

    /// <summary>Temperature now.</summary>
    Temperature,

    /// <summary>Power drawn now.</summary>
    Power,

    /// <summary>Unhealthy, then cordoned, then others.</summary>
    Health,

    /// <summary>NUMA node.</summary>
    Numa,

    /// <summary>Who makes it.</summary>
    Vendor,
}
