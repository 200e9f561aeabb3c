using System.Text.Json;
using Hami.Api.Plumbing.Kubernetes;
using Mediator;

namespace Hami.Api.Admitting;

/// <summary><c>POST /webhook</c>, HAMi's mutating admission webhook: always HTTP 200, a wrong request is answered inside the review.</summary>
internal static class WebhookEndpoint
{
    public static void MapWebhook(this IEndpointRouteBuilder routes) => routes.MapPost("/webhook", async (HttpRequest request, ISender sender) =>
    {
        AdmissionReview answer;
        try
        {
            var review = await JsonSerializer.DeserializeAsync(request.Body, WireJson.Default.AdmissionReview, request.HttpContext.RequestAborted);
            answer = await sender.Send(new Admit(review ?? new()));
        }
        catch (JsonException e)
        {
            answer = new() { ApiVersion = "admission.k8s.io/v1", Kind = "AdmissionReview", Response = new() { Status = new(400, WireJson.Explain(e)) } };
        }
        return TypedResults.Json(answer, WireJson.Default.AdmissionReview);
    });
}
