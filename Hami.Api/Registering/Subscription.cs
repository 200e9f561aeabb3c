using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Registering;

namespace Hami.Api;

public sealed partial class Subscription
{
    /// <summary>Each card whose facts or use changed, as it is after that; a resumed subscription is told of each once, as it is now.</summary>
    /// <param name="node">Only cards of this node.</param>
    public static IAsyncEnumerable<DeviceChange> DeviceChanged(
        [FromServices] Resuming resuming, [FromServices] Asker asker, CancellationToken cancellationToken, string? node = null)
    {
        if (!asker.Scope.Nodes)
            asker.MustSeeNodes(node ?? "");
        return resuming.FollowAsync(asker.ResumeAfter, (change, known) => DeviceChange.Of(change, known, node), cancellationToken);
    }
}
