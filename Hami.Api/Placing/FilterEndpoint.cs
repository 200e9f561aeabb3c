using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Mediator;

namespace Hami.Api.Placing;

/// <summary><c>POST /filter</c>, as kube-scheduler calls an extender: always HTTP 200, what went wrong stands in <c>Error</c>.</summary>
internal static class FilterEndpoint
{
    public static void MapFilter(this IEndpointRouteBuilder routes) => routes.MapPost("/filter", async (HttpContext http, ISender sender, ClusterView view) =>
    {
        using var body = await WholeBody.ReadAsync(http.Request);
        FilterAnswer answer;
        try
        {
            answer = await sender.Send(new Filter(ExtenderArguments.Read(body.Bytes, view)), http.RequestAborted);
        }
        catch (JsonException e)
        {
            answer = FilterAnswer.Of(WireJson.Explain(e));
        }
        http.Response.ContentType = "application/json";
        answer.WriteTo(http.Response.BodyWriter);
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    });
}
