using Hami.Api.Access;
using Hami.Domain.Ledger;
using Marten;

namespace Hami.Api.Observing;

/// <summary>Why the allocations of one page were placed: it stands in the log, and is read for all of them at once when one is asked for.</summary>
internal sealed class PlacementReasons(IDocumentStore store, Scope scope)
{
    private readonly Lock _gate = new();
    private readonly List<long> _positions = [];
    private Task<Dictionary<long, PlacementReason?>>? _reading;

    /// <summary>Position in the log of an allocation of the page.</summary>
    public void MayBeAskedFor(long position) => _positions.Add(position);

    public async Task<PlacementReason?> OfAsync(long position, CancellationToken cancellationToken)
    {
        Task<Dictionary<long, PlacementReason?>> reading;
        lock (_gate)
            reading = _reading ??= ReadAsync(cancellationToken);
        return (await reading).GetValueOrDefault(position);
    }

    private async Task<Dictionary<long, PlacementReason?>> ReadAsync(CancellationToken cancellationToken)
    {
        await using var session = store.QuerySession();
        var events = await session.Events.QueryAllRawEvents().Where(e => _positions.Contains(e.Sequence)).ToListAsync(cancellationToken);
        return events.ToDictionary(e => e.Sequence, e => Shown((e.Data as NodeEvent.AllocationPlaced)?.Because));
    }

    // The reason names the pods whose reservations it honoured, of whatever namespace.
    private PlacementReason? Shown(PlacementReason? because) => scope.AllNamespaces || because is null ? because : because with { Reservations = [] };
}
