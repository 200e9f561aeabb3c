using Hami.Domain.Ledger;

namespace Hami.Domain.Replaying;

/// <summary>Folds what stands in the log.</summary>
public static class Replay
{
    /// <summary>The state with one more event, at its position.</summary>
    public static ClusterLedger Next(ClusterLedger before, Recorded e) =>
        ClusterLedger.Evolve(before, e.Stream, e.At, e.Event) with { Position = e.Position };
}
