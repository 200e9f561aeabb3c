namespace Hami.Api.Plumbing;

/// <summary>May we decide?</summary>
public interface IReadiness
{
    /// <summary>Why not, in a sentence; null when ready.</summary>
    string? WhyNot { get; }
}

/// <summary>May we decide yet? Not before the log is folded and has been reconciled with the cluster once.</summary>
internal sealed class Readiness(Journal journal, FollowedLog log) : IReadiness
{
    private readonly TaskCompletionSource _nodesListed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _quotasListed;
    private volatile int _podsReconciled; // with which log

    /// <summary>Completes when the cluster's nodes have been listed once.</summary>
    public Task NodesKnown => _nodesListed.Task;

    public void NodesListed() => _nodesListed.TrySetResult();

    public void QuotasListed() => _quotasListed = true;

    /// <summary>All pods are reconciled with a log; should another one have begun meanwhile, they are not.</summary>
    public void PodsReconciled(int log) => _podsReconciled = log;

    /// <inheritdoc />
    public string? WhyNot =>
        !journal.Loaded.IsCompletedSuccessfully ? "hami is reading its log from PostgreSQL"
        : !NodesKnown.IsCompletedSuccessfully ? "hami has not listed the cluster's nodes yet"
        : !_quotasListed ? "hami has not listed the cluster's resource quotas yet"
        : _podsReconciled != log.Number ? "hami is reconciling its log with the cluster's pods"
        : !journal.IsWritable ? "hami cannot write its log: PostgreSQL is away"
        : null;
}

/// <summary><c>/healthz</c>: the process answers. <c>/readyz</c>: it may decide; else why not, in a sentence.</summary>
internal static class ProbeEndpoints
{
    public static void MapProbes(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/healthz", () => "ok");
        routes.MapGet("/readyz", (Readiness readiness) =>
            readiness.WhyNot is { } whyNot ? Results.Text(whyNot, statusCode: StatusCodes.Status503ServiceUnavailable) : Results.Text("ok"));
    }
}
