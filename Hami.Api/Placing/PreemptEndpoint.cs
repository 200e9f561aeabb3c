using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Mediator;

namespace Hami.Api.Placing;

/// <summary><c>POST /preempt</c>, as kube-scheduler calls an extender. Its answer has no place for an error, so HTTP's status says it.</summary>
internal static class PreemptEndpoint
{
    // Whole pods of hundreds of nodes; their UIDs alone are a hundredth of that.
    private static readonly BoundedBody Bodies = new(mostBytes: 64 << 20, largeAtOnce: 2);

    public static void MapPreempt(this IEndpointRouteBuilder routes) => routes.MapPost("/preempt", async (HttpRequest request, ISender sender) =>
    {
        try
        {
            using var body = await Bodies.ReadAsync(request);
            var arguments = JsonSerializer.Deserialize(body.Bytes.Span, WireJson.Default.PreemptArguments);
            var answer = await sender.Send(new Preempt(arguments ?? new(null, null, null)), request.HttpContext.RequestAborted);
            return answer.Result is { } result
                ? Results.Json(result, WireJson.Default.PreemptResult)
                : Results.Text(answer.Error, statusCode: answer.IsTooEarly ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status400BadRequest);
        }
        catch (JsonException e)
        {
            return Results.Text(WireJson.Explain(e), statusCode: StatusCodes.Status400BadRequest);
        }
        catch (BodyRefusedException e)
        {
            return Results.Text(e.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    });
}
