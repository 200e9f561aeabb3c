using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;

namespace Hami.Api;

public sealed partial class Subscription
{
    /// <summary>Each step of an allocation, in the order of the log.</summary>
    /// <param name="namespace">Only pods of this namespace.</param>
    /// <param name="node">Only allocations on this node.</param>
    /// <param name="podUid">Only the pod of this UID.</param>
    public static IAsyncEnumerable<AllocationChange> AllocationChanged(
        [FromServices] Resuming resuming, [FromServices] Asker asker, CancellationToken cancellationToken, string? @namespace = null, string? node = null, string? podUid = null)
    {
        asker.MustSee(@namespace);
        asker.Note("allocationChanged", @namespace);
        var scope = asker.Scope;
        return resuming.FollowAsync(
            asker.ResumeAfter,
            (change, known) => AllocationChange.Of(change, known).Where(c =>
                scope.Sees(c.Namespace) && (@namespace is null || c.Namespace == @namespace) && Match.Is(node, c.Node) && (podUid is null || c.PodUid == podUid)),
            cancellationToken);
    }
}
