using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Mediator;
using Microsoft.Net.Http.Headers;

namespace Hami.Api.Admitting;

/// <summary><c>POST /webhook</c>, HAMi's mutating admission webhook: always HTTP 200, a wrong request is answered inside the review.</summary>
internal static class WebhookEndpoint
{
    private static readonly BoundedBody Body = new(7 << 20);

    public static void MapWebhook(this IEndpointRouteBuilder routes) => routes.MapPost("/webhook", async (HttpRequest request, ISender sender) =>
    {
        AdmissionReview answer;
        try
        {
            if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type) || !type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
                throw new BodyRefusedException(StatusCodes.Status400BadRequest, $"the Content-Type is \"{request.ContentType}\"; the webhook reads application/json");
            using var body = await Body.ReadAsync(request);
            var review = JsonSerializer.Deserialize(body.Bytes.Span, WireJson.Default.AdmissionReview);
            answer = await sender.Send(new Admit(review ?? new()));
        }
        catch (JsonException e)
        {
            answer = Unread(StatusCodes.Status400BadRequest, WireJson.Explain(e));
        }
        catch (BodyRefusedException e)
        {
            answer = Unread(e.Status, e.Message);
        }
        return TypedResults.Json(answer, WireJson.Default.AdmissionReview);
    });

    private static AdmissionReview Unread(int code, string sentence) =>
        new() { ApiVersion = "admission.k8s.io/v1", Kind = "AdmissionReview", Response = new() { Status = new(code, sentence) } };
}
