using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Domain.Protocol;
using Prometheus;

namespace Hami.Api.Measuring;

/// <summary><c>GET /metrics</c>: what the ledger says at this moment, in HAMi's families, and what the control plane measures of itself.</summary>
internal static class MetricsEndpoint
{
    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";
    private const long FlushedAt = 64 << 10;

    // One scrape is enough work at a time.
    private static readonly SemaphoreSlim Turn = new(1);

    public static void MapMetrics(this IEndpointRouteBuilder routes, bool legacy, bool webUi) => routes.MapGet(
        "/metrics", async (HttpContext http, Journal journal, NvidiaConfig nvidia, OwnFamilies own, LiveTelemetry telemetry) =>
    {
        await Turn.WaitAsync(http.RequestAborted);
        try
        {
            http.Response.ContentType = ContentType;
            var ledger = journal.Ledger;
            await WriteAsync(http, own.Now().Concat(ClusterFamilies.Of(ledger, nvidia, legacy)).Concat(webUi ? WebUiFamilies.Of(ledger, telemetry) : []));
            await Meters.Registry.CollectAndExportAsTextAsync(http.Response.Body, ExpositionFormat.PrometheusText, http.RequestAborted);
        }
        finally
        {
            Turn.Release();
        }
    });

    // As it is made, so that a cluster of thousands of nodes never stands in memory as text.
    private static async Task WriteAsync(HttpContext http, IEnumerable<Family> families)
    {
        var exposition = new Exposition(http.Response.BodyWriter);
        var unflushed = 0L;
        foreach (var family in families)
        {
            exposition.Begin(family);
            foreach (var sample in family.Samples)
            {
                unflushed += exposition.Write(family, sample);
                if (unflushed < FlushedAt)
                    continue;
                await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
                unflushed = 0;
            }
        }
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }
}
