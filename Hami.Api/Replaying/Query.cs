using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Registering;
using Hami.Api.Replaying;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;

namespace Hami.Api;

#pragma warning disable CA1068 // What a question may leave out stands behind what it may not.

public sealed partial class Query
{
    /// <summary>Where history in the database begins; null while none was archived. Lists of what ended before it are shorter, and the cluster, or a pod, before it is answered with where its history is.</summary>
    public static async Task<HistoryHorizon?> Horizon([FromServices] History history, CancellationToken cancellationToken) =>
        await history.HorizonAsync(cancellationToken) is { } horizon ? new(horizon.Position, horizon.At, horizon.File) : null;

    /// <summary>The cluster as it was: nodes, cards, who held what, and who waited.</summary>
    /// <param name="time">The moment; what happened at it counts.</param>
    /// <param name="node">Only this node, and the pods that waited.</param>
    [Complexity(50)]
    public static Task<ClusterPicture> ClusterAt(
        [FromServices] History history, [FromServices] Asker asker, CancellationToken cancellationToken, DateTimeOffset time, string? node = null)
    {
        asker.MustSeeNodes(node);
        asker.Note("clusterAt", null, time, time);
        return history.AtAsync(time, node, asker.Scope, cancellationToken);
    }

    /// <summary>The cluster in numbers, as of the last event.</summary>
    /// <param name="at">As of this moment; now when not given.</param>
    [Complexity(50)]
    public static async Task<ClusterSummary> Cluster(
        [FromServices] Moments moments, [FromServices] SeenNodes seen, [FromServices] Asker asker, CancellationToken cancellationToken, DateTimeOffset? at = null)
    {
        if (!asker.Scope.Nodes)
            asker.MustSeeNodes("");
        var moment = await moments.OfAsync("cluster", at, asker, cancellationToken);
        var summary = ClusterSummary.Of(moment.Sums, moment.At, asker.Scope.Sees);
        return moment.IsNow ? WithFacts(summary, moment.Sums, seen) : summary;
    }

    /// <summary>The cluster at two moments, and what came, went and changed between them.</summary>
    /// <param name="from">The first moment.</param>
    /// <param name="to">The second; now when not given.</param>
    [Complexity(100)]
    public static async Task<ClusterComparison> Compare(
        [FromServices] Moments moments, [FromServices] SeenNodes seen, [FromServices] Asker asker, CancellationToken cancellationToken, DateTimeOffset from, DateTimeOffset? to = null)
    {
        if (!asker.Scope.Nodes)
            asker.MustSeeNodes("");
        var before = await moments.OfAsync("compare", from, asker, cancellationToken);
        var after = await moments.OfAsync("compare", to, asker, cancellationToken);
        var compared = ClusterComparison.Of(before.Sums, before.At, after.Sums, after.At, asker.Scope.Sees);
        return compared with
        {
            Before = before.IsNow ? WithFacts(compared.Before, before.Sums, seen) : compared.Before,
            After = after.IsNow ? WithFacts(compared.After, after.Sums, seen) : compared.After,
        };
    }

    /// <summary>Why a pod is, or was, where it is, or why it is nowhere and what would let it fit; null when the log does not know it.</summary>
    /// <param name="pod">Its UID, or <c>namespace/name</c>.</param>
    /// <param name="at">As of this moment; now when not given.</param>
    [Complexity(50)]
    public static Task<PodExplanation?> Explain(
        [FromServices] History history, [FromServices] Asker asker, [FromServices] TimeProvider clock, CancellationToken cancellationToken, string pod, DateTimeOffset? at = null)
    {
        var @namespace = pod.Split('/') is [var first, _] ? first : null;
        asker.MustSee(@namespace);
        asker.Note("explain", @namespace, at, at);
        return history.ExplainAsync(pod, at ?? clock.GetUtcNow(), asker.Scope, cancellationToken);
    }

    /// <summary>Why no node takes a pod that waits: a row for each node with cards, by name, and in it what each card says; none when the pod does not wait. Takes the right to list nodes.</summary>
    /// <param name="pod">Its UID, or <c>namespace/name</c>.</param>
    /// <param name="at">As of this moment; now when not given.</param>
    /// <param name="search">Only nodes in whose name, or in a card's product name or UUID, this occurs.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    public static async Task<Connection<NodeRefusal>> Refusals(
        [FromServices] Moments moments, [FromServices] Asker asker, CancellationToken cancellationToken, string pod, DateTimeOffset? at = null, string? search = null,
        int first = Pages.Usual, string? after = null)
    {
        var @namespace = pod.Split('/') is [var named, _] ? named : null;
        asker.MustSee(@namespace);
        asker.MustSeeNodes(pod);
        var page = Page<NodeRefusal>.Of(first, after, Replaying.Refusals.ByNode);
        var cluster = (await moments.OfAsync("refusals", at, asker, cancellationToken, @namespace)).Ledger;
        return Replaying.Refusals.Find(cluster, pod) is { } waiting && asker.Scope.Sees(waiting.Refusal.Namespace)
            ? Replaying.Refusals.Of(waiting, cluster, search, page)
            : page.Cut([], _ => Task.FromResult(0L));
    }

    /// <summary>Runs the arrivals of a time again under another policy, and compares refusals, waiting and what was allocated.</summary>
    /// <param name="policy">Over nodes, and after a slash over the cards of a node: <c>spread/binpack</c>; <c>spread</c> over cards when not given.</param>
    /// <param name="from">Begin of the time.</param>
    /// <param name="to">Its end; now when not given.</param>
    [Complexity(1000)]
    public static Task<WhatIfReport> WhatIf(
        [FromServices] History history, [FromServices] Asker asker, [FromServices] TimeProvider clock, CancellationToken cancellationToken,
        string policy, DateTimeOffset from, DateTimeOffset? to = null)
    {
        asker.MustSeeCluster("what another policy would have made of all pods");
        asker.Note("whatIf", null, from, to);
        var parts = policy.Split('/', 2);
        if (NodePolicies.TryParse(parts[0]) is not { } nodes || CardPolicy.TryParse(parts.Length == 2 ? parts[1] : "spread") is not { } cards)
            throw new ExecutionError($"policy: {policy} is not a policy over nodes ({NodePolicies.Words}), and after a slash one over cards ({CardPolicy.Words}).");
        var until = to ?? clock.GetUtcNow();
        return from < until
            ? history.WhatIfAsync(new(nodes, cards), from, until, cancellationToken)
            : throw new ExecutionError("from is not before to: give a time that has a length.");
    }

    private static ClusterSummary WithFacts(ClusterSummary summary, ClusterSums sums, SeenNodes seen)
    {
        var facts = sums.Nodes.Where(n => n.Value.Uses.Count > 0).Select(n => seen.Find(n.Key)).OfType<NodeFacts>().ToList();
        return summary with
        {
            SchedulableNodes = facts.Count(f => f.Schedulable),
            ReadyNodes = facts.Count(f => f.Ready),
            CpuMilli = facts.Exists(f => f.CpuMilli is not null) ? facts.Sum(f => f.CpuMilli) : null,
            HostMemoryMiB = facts.Exists(f => f.HostMemoryMiB is not null) ? facts.Sum(f => f.HostMemoryMiB) : null,
        };
    }
}
