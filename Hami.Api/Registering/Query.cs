using GraphQL;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api;

/// <summary>A node that has registered cards.</summary>
/// <param name="Name">Name of the Kubernetes node.</param>
/// <param name="Devices">Its cards, in order of their index.</param>
public sealed record NodeSummary(string Name, IReadOnlyList<DeviceSummary> Devices);

/// <summary>One card and what is allocated of it.</summary>
/// <param name="Uuid">UUID of the physical card.</param>
/// <param name="Index">NVML index.</param>
/// <param name="Type">Product name as registered.</param>
/// <param name="MemoryMiB">Device memory in MiB, memory scaling applied.</param>
/// <param name="UsedMemoryMiB">Device memory in MiB held by allocations.</param>
/// <param name="Cores">Percent of compute; 100 is one whole card.</param>
/// <param name="UsedCores">Percent of compute held by allocations.</param>
/// <param name="Slots">How many containers may share the card.</param>
/// <param name="UsedSlots">How many do.</param>
/// <param name="Healthy">False when the node agent reported it unhealthy.</param>
public sealed record DeviceSummary(
    string Uuid, int Index, string Type, long MemoryMiB, long UsedMemoryMiB, int Cores, int UsedCores, int Slots, int UsedSlots, bool Healthy);

public sealed partial class Query
{
    /// <summary>Nodes with their cards and what is allocated of each, as of the last event.</summary>
    /// <param name="name">Only the node of this name.</param>
    public static IEnumerable<NodeSummary> Nodes([FromServices] Journal journal, string? name = null) => journal.Ledger.Nodes
        .Where(n => name is null || n.Key == name)
        .OrderBy(n => n.Key, StringComparer.Ordinal)
        .Select(n => new NodeSummary(n.Key, Devices(NodeUse.Of(n.Key, n.Value))));

    private static List<DeviceSummary> Devices(NodeUse node)
    {
        var devices = new List<DeviceSummary>(node.Cards.Length);
        for (var i = 0; i < node.Cards.Length; i++)
        {
            var (card, use) = (node.Cards[i], node.Uses[i]);
            devices.Add(new(
                card.Uuid, card.Index, card.Model, card.MemoryMiB, use.MemoryMiB, card.Cores, use.Cores, card.Slots, use.Slots, card.Healthy));
        }
        return devices;
    }
}
