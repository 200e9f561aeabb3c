using System.Text.Json;
using Hami.Api.Plumbing.Kubernetes;
using Mediator;

namespace Hami.Api.Placing;

/// <summary><c>POST /filter</c>, as kube-scheduler calls an extender: always HTTP 200, what went wrong stands in <c>Error</c>.</summary>
internal static class FilterEndpoint
{
    public static void MapFilter(this IEndpointRouteBuilder routes) => routes.MapPost("/filter", async (HttpRequest request, ISender sender) =>
    {
        FilterResult result;
        try
        {
            var arguments = await JsonSerializer.DeserializeAsync(request.Body, WireJson.Default.FilterArguments, request.HttpContext.RequestAborted);
            result = arguments is null ? FilterResult.Failed("extender args missing pod") : await sender.Send(new Filter(arguments));
        }
        catch (JsonException e)
        {
            result = FilterResult.Failed(WireJson.Explain(e));
        }
        return TypedResults.Json(result, WireJson.Default.FilterResult);
    });
}
