using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;

namespace Hami.Api;

public sealed partial class Subscription
{
    /// <summary>That something happened, whatever it was: at most four times a second, and the last is always told. Who is told asks again for what is shown; a resumed subscription is told once, at once, where it missed something.</summary>
    public static IAsyncEnumerable<ClusterChange> ClusterChanged([FromServices] Resuming resuming, [FromServices] Asker asker, CancellationToken cancellationToken) =>
        resuming.FollowLatestAsync(asker.ResumeAfter, cancellationToken);
}
