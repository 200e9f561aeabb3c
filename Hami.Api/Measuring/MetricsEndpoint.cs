using System.Buffers;
using Hami.Api.Plumbing;
using Prometheus;

namespace Hami.Api.Measuring;

/// <summary><c>GET /metrics</c>: what the ledger says at this moment, in HAMi's families, and what the control plane measures of itself.</summary>
internal static class MetricsEndpoint
{
    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    // One scrape is enough work at a time.
    private static readonly SemaphoreSlim Turn = new(1);

    public static void MapMetrics(this IEndpointRouteBuilder routes, bool legacy) => routes.MapGet("/metrics", async (HttpContext http, Journal journal, OwnFamilies own) =>
    {
        await Turn.WaitAsync(http.RequestAborted);
        try
        {
            http.Response.ContentType = ContentType;
            // Whole before the first byte goes out: a slow reader holds nothing up, and a failure is a status, not half a text.
            var text = new ArrayBufferWriter<byte>(64 << 10);
            var exposition = new Exposition(text);
            own.Write(exposition);
            ClusterFamilies.Write(exposition, journal.Ledger, legacy);
            using var measured = new MemoryStream();
            await Meters.Registry.CollectAndExportAsTextAsync(measured, ExpositionFormat.PrometheusText, http.RequestAborted);
            await http.Response.BodyWriter.WriteAsync(text.WrittenMemory, http.RequestAborted);
            await http.Response.BodyWriter.WriteAsync(measured.GetBuffer().AsMemory(0, (int)measured.Length), http.RequestAborted);
        }
        finally
        {
            Turn.Release();
        }
    });
}
