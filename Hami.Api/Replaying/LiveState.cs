using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api.Replaying;

/// <summary>A replay up to now begins at what is true now; one of the past at a state that was asked for lately, or at the nearest checkpoint.</summary>
internal sealed class LiveState(ILedgerReader now, RecentLedgers recent, KeptCheckpoints kept) : IKnownStates
{
    // To fold so many takes no longer than to read a checkpoint and what follows it.
    private const int Near = 10_000;

    public async ValueTask<ClusterLedger> NearestAsync(long position, CancellationToken cancellationToken)
    {
        if (now.Ledger is { Position: > 0 } ledger && ledger.Position <= position)
            return ledger;
        var lately = recent.Nearest(position);
        if (lately is not null && position - lately.Position <= Near)
            return lately;
        var checkpoint = await kept.NearestAsync(position, cancellationToken);
        return lately?.Position > checkpoint.Position ? lately : checkpoint;
    }
}
