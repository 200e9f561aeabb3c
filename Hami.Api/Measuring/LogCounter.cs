using System.Text.RegularExpressions;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api.Measuring;

/// <summary>Counts what is committed; what stood in the log before this process started is not news.</summary>
internal sealed partial class LogCounter(TimeProvider time) : ILogFollower
{
    private readonly DateTimeOffset _start = time.GetUtcNow();

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        foreach (var happened in recorded)
        {
            if (happened.At < _start)
                continue;
            Meters.Logged(Name(happened.Event.GetType().Name));
            if (happened.Event is PodEvent.PlacementRefused refused)
            {
                foreach (var reason in refused.Reasons)
                    Meters.Refused(reason.Reason);
            }
        }
    }

    // AllocationPlaced is stored as allocation_placed.
    private static string Name(string type) => Words().Replace(type, m => (m.Index > 0 ? "_" : "") + m.Value.ToLowerInvariant());

    [GeneratedRegex("[A-Z]", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Words();
}
