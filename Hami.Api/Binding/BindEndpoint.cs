using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Mediator;

namespace Hami.Api.Binding;

/// <summary><c>POST /bind</c>, as kube-scheduler calls an extender: always HTTP 200, what went wrong stands in <c>Error</c>.</summary>
internal static class BindEndpoint
{
    private static readonly BoundedBody Body = new(1 << 20);

    public static void MapBind(this IEndpointRouteBuilder routes) => routes.MapPost("/bind", async (HttpRequest request, ISender sender) =>
    {
        BindResult result;
        try
        {
            using var body = await Body.ReadAsync(request);
            var arguments = JsonSerializer.Deserialize(body.Bytes.Span, WireJson.Default.BindArguments);
            result = arguments is { PodName: { Length: > 0 } pod, PodNamespace: { Length: > 0 } ns, PodUid: { Length: > 0 } uid, Node: { Length: > 0 } node }
                // Not the request's own token: a bind goes on to its end although its caller has hung up.
                ? await sender.Send(new Bind(ns, pod, uid, node), CancellationToken.None)
                : new("bind needs PodName, PodNamespace, PodUID and Node");
        }
        catch (JsonException e)
        {
            result = new(WireJson.Explain(e));
        }
        catch (BodyRefusedException e)
        {
            result = new(e.Message);
        }
        return TypedResults.Json(result, WireJson.Default.BindResult);
    });
}
