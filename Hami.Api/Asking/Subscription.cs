using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;

namespace Hami.Api;

public sealed partial class Subscription
{
    /// <summary>That something happened, whatever it was: where the log is, at once, and then each time it has grown, at most four times a second; the last is always told. Who is told asks again for what is shown, and is told once more when lists show what they did not yet.</summary>
    public static IAsyncEnumerable<ClusterChange> ClusterChanged([FromServices] ClusterChanges changes, [FromServices] Asker asker, CancellationToken cancellationToken) =>
        changes.FollowAsync(asker.ResumeAfter, cancellationToken);
}
