using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;

namespace Hami.Api.Placing;

/// <summary><c>POST /filter</c>, as kube-scheduler calls an extender: always HTTP 200, what went wrong stands in <c>Error</c>.</summary>
internal static class FilterEndpoint
{
    // 5,000 whole nodes of 10 KiB and room to spare; names alone are a hundredth of that.
    private static readonly BoundedBody Bodies = new(mostBytes: 64 << 20, largeAtOnce: 2);

    public static void MapFilter(this IEndpointRouteBuilder routes) => routes.MapPost("/filter", async (HttpContext http, FilterHandler handler, ClusterView view) =>
    {
        http.Response.ContentType = "application/json";
        try
        {
            // Held until the answer is written: it gives whole nodes back from these bytes.
            using var body = await Bodies.ReadAsync(http.Request);
            var answer = await handler.Handle(new(ExtenderArguments.Read(body.Bytes, view)), http.RequestAborted);
            answer.WriteTo(http.Response.BodyWriter);
        }
        catch (JsonException e)
        {
            FilterAnswer.Of(WireJson.Explain(e)).WriteTo(http.Response.BodyWriter);
        }
        catch (BodyRefusedException e)
        {
            FilterAnswer.Of(e.Message).WriteTo(http.Response.BodyWriter);
        }
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    });
}
