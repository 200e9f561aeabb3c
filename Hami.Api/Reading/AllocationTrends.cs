using Hami.Api.Asking;
using Hami.Api.Observing;

namespace Hami.Api.Reading;

/// <summary>Reads what was allocated over time from the read models.</summary>
public sealed class AllocationTrends
{
    private readonly Rows _rows;
    private readonly TimeProvider _time;

    internal AllocationTrends(Rows rows, TimeProvider time) => (_rows, _time) = (rows, time);

    internal async Task<AllocationTrend> ReadAsync(HeldOf of, DateTimeOffset? begin, DateTimeOffset? end, int? wantedStep, CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        throw new NotImplementedException($"{_rows} {_time} {of} {begin} {end} {wantedStep} {cancellationToken} {TelemetryLimits.Seconds}");
    }
}
