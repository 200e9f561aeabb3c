using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Quotas;
using Hami.Api.Replaying;

namespace Hami.Api;

public sealed partial class Query
{
    /// <summary>What namespaces hold and what their ResourceQuotas allow them, as of the last event.</summary>
    /// <param name="filter">Which namespaces.</param>
    /// <param name="sort">What they are sorted by.</param>
    /// <param name="descending">Whether the largest comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    /// <param name="at">As of this moment; now when not given.</param>
    public static async Task<Connection<QuotaState>> Quotas(
        [FromServices] Moments moments, [FromServices] Asker asker, CancellationToken cancellationToken, QuotaFilter? filter = null, QuotaSort sort = QuotaSort.Namespace,
        bool descending = false, int first = Pages.Usual, string? after = null, DateTimeOffset? at = null)
    {
        asker.MustSee(filter?.Namespace);
        var moment = await moments.OfAsync("quotas", at, asker, cancellationToken, filter?.Namespace);
        return Page<QuotaState>.Of(first, after, QuotaState.Orders[sort] with { Descending = descending }).Of(
            QuotaState.Of(moment.Sums).Where(q => asker.Scope.Sees(q.Namespace) && (filter is null || filter.Takes(q))));
    }
}
