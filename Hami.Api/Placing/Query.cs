using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Api.Replaying;

namespace Hami.Api;

public sealed partial class Query
{
    /// <summary>Pods that wait, and why, as of the last event.</summary>
    /// <param name="filter">Which pods.</param>
    /// <param name="sort">What they are sorted by.</param>
    /// <param name="descending">Whether the largest, or latest, comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    /// <param name="at">As of this moment; now when not given.</param>
    public static async Task<Connection<PendingPod>> PendingPods(
        [FromServices] Moments moments, [FromServices] LivePods live, [FromServices] Asker asker, CancellationToken cancellationToken, PendingFilter? filter = null, PendingSort sort = PendingSort.RefusedAt,
        bool descending = false, int first = Pages.Usual, string? after = null, DateTimeOffset? at = null)
    {
        asker.MustSee(filter?.Namespace);
        var moment = await moments.OfAsync("pendingPods", at, asker, cancellationToken, filter?.Namespace);
        return Page<PendingPod>.Of(first, after, PendingPod.Orders[sort] with { Descending = descending })
            .Of(moment.Ledger.Waiting.Values.Where(w => asker.Scope.Sees(w.Refusal.Namespace))
                .Select(w => PendingPod.Of(w, moment.Ledger) with { IsPast = !moment.IsNow, CreatedAt = moment.IsNow ? live.Find(w.Refusal.PodUid)?.CreatedAt : null })
                .Where(p => filter is null || filter.Takes(p)));
    }

    /// <summary>The policy that pods without annotations of their own are placed by; null before the first process has said it.</summary>
    /// <param name="at">As of this moment; now when not given.</param>
    public static async Task<Policy?> Policy([FromServices] Moments moments, [FromServices] Asker asker, CancellationToken cancellationToken, DateTimeOffset? at = null) =>
        (await moments.OfAsync("policy", at, asker, cancellationToken)).Ledger.Policy is { } policy ? new(policy.NodePolicy, policy.GpuPolicy, policy.Version) : null;
}
