using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Placing;

namespace Hami.Api;

public sealed partial class Subscription
{
    /// <summary>Each pod that begins to wait, waits for other reasons, or waits no more; a resumed subscription is told of each once, as it is now.</summary>
    /// <param name="namespace">Only pods of this namespace.</param>
    public static IAsyncEnumerable<PendingChange> PendingChanged(
        [FromServices] Resuming resuming, [FromServices] Asker asker, CancellationToken cancellationToken, string? @namespace = null)
    {
        asker.MustSee(@namespace);
        var scope = asker.Scope;
        return resuming.FollowAsync(
            asker.ResumeAfter,
            (change, known) => PendingChange.Of(change, known, c => scope.Sees(c.Namespace) && (@namespace is null || c.Namespace == @namespace)),
            cancellationToken);
    }
}
