using System.Globalization;
using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>A pod that waits because no node has what it asks.</summary>
/// <param name="PodUid">UID of the pod.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Pod">Its name.</param>
/// <param name="Message">Why it waits, in a sentence.</param>
/// <param name="Reasons">How many cards refused it for which reason.</param>
/// <param name="RefusedAt">When these reasons were first found.</param>
/// <param name="LogPosition">Position in the log of the state that refused it.</param>
public sealed record PendingPod(
    string PodUid, string Namespace, string Pod, string Message, IReadOnlyList<RefusalCount> Reasons, DateTimeOffset RefusedAt, long LogPosition)
{
    internal static readonly Dictionary<PendingSort, Order<PendingPod>> Orders = new()
    {
        [PendingSort.RefusedAt] = Order<PendingPod>.Time("refusedAt", p => p.RefusedAt, p => p.PodUid),
        [PendingSort.Pod] = Order<PendingPod>.Text("pod", p => $"{p.Namespace}/{p.Pod}", p => p.PodUid),
        [PendingSort.Message] = Order<PendingPod>.Text("message", p => p.Message, p => p.PodUid),
        [PendingSort.Asks] = Order<PendingPod>.KnownText("asks", p => p.Ask is { } ask ? Size(ask) : null, p => p.PodUid),
        [PendingSort.Reasons] = Order<PendingPod>.Text("reasons", p => Words(p.Reasons), p => p.PodUid),
        [PendingSort.Since] = Order<PendingPod>.Time("since", p => p.CreatedAt ?? p.RefusedAt, p => p.PodUid),
    };

    /// <summary>What it asks, as it was understood when it was refused; null where that was not kept.</summary>
    public PodAsk? Ask { get; private init; }

    /// <summary>Whether it is shown as of a moment of the past.</summary>
    internal bool IsPast { get; init; }

    /// <summary>When it was created, where that is known and shown.</summary>
    internal DateTimeOffset? CreatedAt { get; init; }

    private ClusterLedger Cluster { get; init; } = ClusterLedger.Empty;

    /// <summary>What the API server says of it now; null when it is gone, nothing is told of it, or the past is asked for.</summary>
    public PodNow? Live([FromServices] LivePods live) => IsPast ? null : live.Find(PodUid);

    /// <summary>What would let it fit, each by itself; empty when nothing alone would, or what it asks was not kept. It is tried on all nodes, so ask it of a few pods at once.</summary>
    [Complexity(10_000)]
    public Task<IReadOnlyList<string>> WouldFit([FromServices] History history, [FromServices] Asker asker, CancellationToken cancellationToken) =>
        Ask is null ? Task.FromResult<IReadOnlyList<string>>([]) : history.WouldFitAsync(Ask, Cluster, asker.Scope, cancellationToken);

    /// <summary>A pod as it waits in a state of the cluster.</summary>
    internal static PendingPod Of(WaitingPod waiting, ClusterLedger cluster) => new(
        waiting.Refusal.PodUid, waiting.Refusal.Namespace, waiting.Refusal.Pod, waiting.Refusal.Message, waiting.Refusal.Reasons, waiting.At, waiting.Refusal.LogPosition)
    {
        Ask = waiting.Refusal.Ask,
        Cluster = cluster,
    };

    // Cards, then memory, in MiB or else in percent, then compute: of all containers together.
    private static string Size(PodAsk ask)
    {
        // Nobody has checked what they ask: it may be more than a long holds.
        Int128 Sum(Func<ContainerAsk, long> of) => ask.Containers.Aggregate(Int128.Zero, (sum, c) => sum + ((Int128)c.Count * of(c)));
        return string.Create(
            CultureInfo.InvariantCulture, $"{Sum(_ => 1):D39}/{Sum(c => c.MemoryMiB):D39}/{Sum(c => c.MemoryMiB > 0 ? 0 : c.MemoryPercent):D39}/{Sum(c => c.Cores):D39}");
    }

    // The reason of most cards first, as they are shown; the same reasons by how many cards have the first. A number stands before a further word.
    private static string Words(IReadOnlyList<RefusalCount> reasons)
    {
        var most = reasons.OrderByDescending(r => r.Cards).ThenBy(r => r.Reason, StringComparer.Ordinal).ToList();
        return string.Create(CultureInfo.InvariantCulture, $"{string.Join(' ', most.Select(r => r.Reason))} {(most.Count > 0 ? most[0].Cards : 0):D10}");
    }
}

/// <summary>Which waiting pods; what is left out is not asked for.</summary>
public sealed class PendingFilter
{
    /// <summary>Only pods of this namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Only the pod of this name.</summary>
    public string? Pod { get; init; }

    /// <summary>Only pods in whose name this occurs.</summary>
    public string? PodContains { get; init; }

    /// <summary>Only the pod of this UID.</summary>
    public string? PodUid { get; init; }

    /// <summary>Only pods that wait for this reason among others, such as <c>CardInsufficientMemory</c>.</summary>
    public string? Reason { get; init; }

    /// <summary>Only pods in whose <c>namespace/name</c>, or message, this occurs.</summary>
    public string? Search { get; init; }

    internal bool Takes(PendingPod pod) =>
        Match.Is(Namespace, pod.Namespace) && Match.Is(Pod, pod.Pod) && Match.Has(PodContains, pod.Pod) && Match.Is(PodUid, pod.PodUid)
        && (Reason is null || pod.Reasons.Any(r => r.Reason == Reason))
        && (Search is null || Match.Has(Search, $"{pod.Namespace}/{pod.Pod}") || Match.Has(Search, pod.Message));
}

/// <summary>What waiting pods are sorted by.</summary>
public enum PendingSort
{
    /// <summary>When the reasons were first found.</summary>
    RefusedAt,

    /// <summary>Namespace and name.</summary>
    Pod,

    /// <summary>Why they wait.</summary>
    Message,

    /// <summary>How many cards all their containers ask for together, then how much memory of them, then how much compute; what was not kept comes last.</summary>
    Asks,

    /// <summary>The words of the reasons, that of most cards first, then how many cards have it.</summary>
    Reasons,

    /// <summary>Since when they wait: since they were created, where the API server tells of them; else since the reasons were first found.</summary>
    Since,
}

/// <summary>A policy of placement.</summary>
/// <param name="NodePolicy">Over nodes, such as <c>binpack</c>.</param>
/// <param name="GpuPolicy">Over the cards of a node, such as <c>spread</c>.</param>
/// <param name="Version">How often it was changed.</param>
public sealed record Policy(string NodePolicy, string GpuPolicy, int Version);
