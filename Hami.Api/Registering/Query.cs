using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Plumbing;
using Hami.Api.Registering;

namespace Hami.Api;

public sealed partial class Query
{
    /// <summary>Nodes with their cards and what is allocated of each, as of the last event.</summary>
    /// <param name="filter">Which nodes.</param>
    /// <param name="sort">What they are sorted by.</param>
    /// <param name="descending">Whether the largest comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    public static Connection<Node> Nodes(
        [FromServices] Journal journal, [FromServices] Asker asker, NodeFilter? filter = null, NodeSort sort = NodeSort.Name, bool descending = false,
        int first = Pages.Usual, string? after = null)
    {
        asker.MustSeeNodes(filter?.Name);
        var nodes = asker.Scope.Nodes ? journal.Ledger.Nodes.Select(n => new Node(n.Key, n.Value)) : [];
        return Page<Node>.Of(first, after, Node.Orders[sort] with { Descending = descending })
            .Of(nodes.Where(n => filter is null || filter.Takes(n)));
    }

    /// <summary>Cards, and what is allocated of each, as of the last event.</summary>
    /// <param name="filter">Which cards.</param>
    /// <param name="sort">What they are sorted by.</param>
    /// <param name="descending">Whether the largest comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    public static Connection<Device> Devices(
        [FromServices] Journal journal, [FromServices] Asker asker, DeviceFilter? filter = null, DeviceSort sort = DeviceSort.Node, bool descending = false,
        int first = Pages.Usual, string? after = null)
    {
        asker.MustSeeNodes(filter?.Node ?? filter?.Uuid);
        var ledger = journal.Ledger;
        var nodes = !asker.Scope.Nodes ? []
            : filter?.Node is { } only ? ledger.Nodes.TryGetValue(only, out var one) ? [KeyValuePair.Create(only, one)] : []
            : ledger.Nodes.AsEnumerable();
        return Page<Device>.Of(first, after, Device.Orders[sort] with { Descending = descending })
            .Of(nodes.SelectMany(n => Device.Of(n.Key, n.Value)).Where(d => filter is null || filter.Takes(d)));
    }
}
