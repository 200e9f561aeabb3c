using System.Globalization;
using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary>The past, for questions: a few at a time, as each may fold much of the log, and of it what the asker may see.</summary>
public sealed class History : IDisposable
{
    private const int MostAtOnce = 2;
    private const long MostSimulated = 200_000;

    private readonly LedgerHistory _log;
    private readonly SemaphoreSlim _turn = new(MostAtOnce);
    private readonly KeyedLock _folding = new();

    internal History(LedgerHistory log) => _log = log;

    /// <inheritdoc />
    public void Dispose() => _turn.Dispose();

    internal async Task<ClusterPicture> AtAsync(DateTimeOffset at, string? node, Scope scope, CancellationToken cancellationToken) =>
        Shown(ClusterPicture.Of(await LedgerAtAsync(at, cancellationToken), at, node), scope);

    /// <summary>The ledger as it was at a moment. Those who ask for the same one fold it once.</summary>
    internal async Task<ClusterLedger> LedgerAtAsync(DateTimeOffset at, CancellationToken cancellationToken)
    {
        var position = await Rows.AnsweredAsync(() => _log.PositionAtAsync(at, cancellationToken), cancellationToken);
        if (_log.Kept(position) is { } kept)
            return kept;
        using var _ = await _folding.AcquireAsync(position.ToString(CultureInfo.InvariantCulture), cancellationToken);
        return _log.Kept(position) ?? await InTurnAsync(() => _log.AtAsync(position, cancellationToken), cancellationToken);
    }

    /// <summary>What would let a refused pod fit, each by itself.</summary>
    internal Task<IReadOnlyList<string>> WouldFitAsync(PodAsk ask, ClusterLedger cluster, Scope scope, CancellationToken cancellationToken) => InTurnAsync(
        () => Task.FromResult(Shown(WhatWouldFit.Of(ask, cluster), scope)), cancellationToken);

    internal Task<Horizon?> HorizonAsync(CancellationToken cancellationToken) => Rows.AnsweredAsync(() => _log.HorizonAsync(cancellationToken), cancellationToken);

    internal Task<PodExplanation?> ExplainAsync(string pod, DateTimeOffset at, Scope scope, CancellationToken cancellationToken) => InTurnAsync(
        async () => Shown(await _log.ExplainAsync(pod, await _log.PositionAtAsync(at, cancellationToken), cancellationToken), scope), cancellationToken);

    internal Task<WhatIfReport> WhatIfAsync(PlacementPolicy policy, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken) => InTurnAsync(
        async () =>
        {
            var events = await _log.BetweenAsync(from, to, cancellationToken);
            return events.UpTo - events.After is var many && many <= MostSimulated
                ? await _log.WhatIfAsync(policy, from, to, events, cancellationToken)
                : throw new ExecutionError($"There are {many} events in that time, more than the {MostSimulated} that are run again here: ask for a shorter time, or run hami-api whatif.") { Code = "TOO_LONG" };
        },
        cancellationToken);

    private static ClusterPicture Shown(ClusterPicture picture, Scope scope) => scope.IsCluster ? picture : picture with
    {
        Nodes = scope.Nodes
            ? [.. picture.Nodes.Select(n => n with { Cards = [.. n.Cards.Select(c => c with { Holders = [.. c.Holders.Where(h => scope.Sees(h.Namespace))] })] })]
            : [],
        Waiting = [.. picture.Waiting.Where(w => scope.Sees(w.Namespace))],
    };

    // A decision's reason, and what would let a pod fit, may name pods of other namespaces.
    private static PodExplanation? Shown(PodExplanation? pod, Scope scope) =>
        pod is null || !scope.Sees(pod.Namespace) ? null
        : scope.AllNamespaces ? pod
        : pod with
        {
            WhyThere = [.. pod.WhyThere.Where(w => !w.StartsWith("Set aside for pod ", StringComparison.Ordinal))],
            WouldFit = Shown(pod.WouldFit, scope),
        };

    private static IReadOnlyList<string> Shown(IReadOnlyList<string> wouldFit, Scope scope) =>
        scope.AllNamespaces ? wouldFit : [.. wouldFit.Where(w => !w.Contains(" ended: ", StringComparison.Ordinal))];

    private async Task<T> InTurnAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            // On a thread of the pool: folding does not wait for anything, and would hold up the request's other fields.
            return await Rows.AnsweredAsync(() => Task.Run(ask, cancellationToken), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }
}
