using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api.Replaying;

/// <summary>A replay begins at the nearest checkpoint.</summary>
internal sealed class KeptCheckpoints(Checkpoints checkpoints) : IKnownStates
{
    public async ValueTask<ClusterLedger> NearestAsync(long position, CancellationToken cancellationToken) =>
        (await checkpoints.NearestAsync(position, cancellationToken)).Ledger;
}
