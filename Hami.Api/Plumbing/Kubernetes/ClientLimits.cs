using System.Threading.RateLimiting;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>What the API server is asked at most.</summary>
/// <param name="PerSecond">Requests per second in the long run; 0 for no limit.</param>
/// <param name="Burst">Requests that may go out at once.</param>
/// <param name="Timeout">Time in which an answer has to begin; zero for no limit.</param>
internal sealed record ClientLimits(double PerSecond, int Burst, TimeSpan Timeout)
{
    /// <summary>Ours: a hung call is given up, and nothing is held back. HAMi's are 5 per second, 10 at once, and no timeout.</summary>
    public static readonly ClientLimits Default = new(0, 10, TimeSpan.FromSeconds(30));
}

/// <summary>Keeps requests to the API server within their limits: the first to come is the first to go.</summary>
internal sealed class LimitedClient : DelegatingHandler
{
    // A timer cannot tick faster; at higher rates each tick gives more.
    private static readonly TimeSpan ShortestPeriod = TimeSpan.FromMilliseconds(10);

    private readonly ClientLimits _limits;
    private readonly TimeProvider _time;
    private readonly TokenBucketRateLimiter? _bucket;

    public LimitedClient(ClientLimits limits, TimeProvider time)
    {
        (_limits, _time) = (limits, time);
        if (limits.PerSecond <= 0)
            return;
        var period = TimeSpan.FromSeconds(Math.Max(1 / limits.PerSecond, ShortestPeriod.TotalSeconds));
        _bucket = new(new()
        {
            TokenLimit = Math.Max(limits.Burst, 1),
            TokensPerPeriod = Math.Max((int)Math.Round(limits.PerSecond * period.TotalSeconds), 1),
            ReplenishmentPeriod = period,
            QueueLimit = int.MaxValue,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
            AutoReplenishment = true,
        });
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (_bucket is not null)
            (await _bucket.AcquireAsync(1, cancellationToken)).Dispose();
        if (_limits.Timeout == TimeSpan.Zero)
            return await base.SendAsync(request, cancellationToken);

        // The answer of a watch begins at once too, and then may go on for ever.
        using var patience = new CancellationTokenSource(_limits.Timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            return await base.SendAsync(request, either.Token);
        }
        catch (OperationCanceledException e) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException($"the API server did not answer {request.Method} {request.RequestUri?.AbsolutePath} within {_limits.Timeout.TotalSeconds:0.#} s", e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _bucket?.Dispose();
        base.Dispose(disposing);
    }
}
