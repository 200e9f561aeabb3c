using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Mediator;

namespace Hami.Api.Placing;

/// <summary><c>POST /filter</c>, as kube-scheduler calls an extender: always HTTP 200, what went wrong stands in <c>Error</c>.</summary>
internal static class FilterEndpoint
{
    // Some 5,000 full node objects.
    private static readonly BoundedBody Body = new(64 << 20, largeAtOnce: 2);

    public static void MapFilter(this IEndpointRouteBuilder routes) => routes.MapPost("/filter", async (HttpRequest request, ISender sender) =>
    {
        FilterResult result;
        try
        {
            using var body = await Body.ReadAsync(request);
            var arguments = JsonSerializer.Deserialize(body.Bytes.Span, WireJson.Default.FilterArguments);
            result = arguments is null ? FilterResult.Failed("extender args missing pod") : await sender.Send(new Filter(arguments));
        }
        catch (JsonException e)
        {
            result = FilterResult.Failed(WireJson.Explain(e));
        }
        catch (BodyRefusedException e)
        {
            result = FilterResult.Failed(e.Message);
        }
        return TypedResults.Json(result, WireJson.Default.FilterResult);
    });
}
