using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Api.Registering;
using Hami.Api.Replaying;
using Hami.Domain.Replaying;

namespace Hami.Api;

public sealed partial class Query
{
    /// <summary>Nodes with their cards and what is allocated of each, as of the last event.</summary>
    /// <param name="filter">Which nodes.</param>
    /// <param name="sort">What they are sorted by.</param>
    /// <param name="descending">Whether the largest comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    /// <param name="at">As of this moment; now when not given.</param>
    public static async Task<Connection<Node>> Nodes(
        [FromServices] Moments moments, [FromServices] SeenNodes seen, [FromServices] LiveTelemetry live, [FromServices] PastUse past, [FromServices] Asker asker,
        CancellationToken cancellationToken,
        NodeFilter? filter = null, NodeSort sort = NodeSort.Name, bool descending = false, int first = Pages.Usual, string? after = null, DateTimeOffset? at = null)
    {
        asker.MustSeeNodes(filter?.Name);
        var page = Page<Node>.Of(first, after, Node.Orders[sort] with { Descending = descending });
        var moment = await moments.OfAsync("nodes", at, asker, cancellationToken);
        filter?.MustBeKnown(moment.IsNow);
        var measured = moment.IsNow && sort is NodeSort.Busy or NodeSort.MemoryInUse;
        var nodes = Of(moment, asker, filter?.Name).Select(n => new Node(n.Key, n.Value, moment.IsNow, moment.IsNow ? seen.Find(n.Key) : null)
        {
            Measured = measured ? CardsUsage.Of(live.NowOf(n.Key)) : null,
        });
        var found = page.Of(nodes.Where(n => filter is null || filter.Takes(n)));
        if (!moment.IsNow)
        {
            var use = past.At(moment.At, [.. found.Items.SelectMany(n => n.Cards)]);
            foreach (var node in found.Items)
                node.Past = use;
        }
        return found;
    }

    /// <summary>Cards, and what is allocated of each, as of the last event.</summary>
    /// <param name="filter">Which cards.</param>
    /// <param name="sort">What they are sorted by.</param>
    /// <param name="descending">Whether the largest comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    /// <param name="at">As of this moment; now when not given.</param>
    public static async Task<Connection<Device>> Devices(
        [FromServices] Moments moments, [FromServices] LiveTelemetry live, [FromServices] PastUse past, [FromServices] Asker asker, CancellationToken cancellationToken,
        DeviceFilter? filter = null, DeviceSort sort = DeviceSort.Node, bool descending = false, int first = Pages.Usual, string? after = null, DateTimeOffset? at = null)
    {
        asker.MustSeeNodes(filter?.Node ?? filter?.Uuid);
        var page = Page<Device>.Of(first, after, Device.Orders[sort] with { Descending = descending });
        var moment = await moments.OfAsync("devices", at, asker, cancellationToken);
        var measured = moment.IsNow && sort is DeviceSort.Busy or DeviceSort.MemoryInUse or DeviceSort.Temperature or DeviceSort.Power;
        var found = page.Of(Of(moment, asker, filter?.Node)
            .SelectMany(n => Device.Of(n.Key, n.Value, moment.IsNow, measured ? live.CardsOf(n.Key) : null))
            .Where(d => filter is null || filter.Takes(d)));
        if (!moment.IsNow)
        {
            var use = past.At(moment.At, [.. found.Items.Select(d => (d.Node, d.Uuid))]);
            foreach (var device in found.Items)
                device.Past = use;
        }
        return found;
    }

    private static IEnumerable<KeyValuePair<string, NodeSums>> Of(Moment moment, Asker asker, string? only) =>
        !asker.Scope.Nodes ? []
        : only is null ? moment.Sums.Nodes
        : moment.Sums.Nodes.TryGetValue(only, out var one) ? [KeyValuePair.Create(only, one)] : [];
}
