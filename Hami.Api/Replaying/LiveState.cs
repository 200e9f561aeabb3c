using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api.Replaying;

/// <summary>A replay up to now begins at what is true now; one of the past at the nearest checkpoint.</summary>
internal sealed class LiveState(ILedgerReader now, KeptCheckpoints kept) : IKnownStates
{
    public ValueTask<ClusterLedger> NearestAsync(long position, CancellationToken cancellationToken) =>
        now.Ledger is { Position: > 0 } ledger && ledger.Position <= position ? new(ledger) : kept.NearestAsync(position, cancellationToken);
}
