using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Calls the webhooks that want to hear of a write: mutating ones in order of name, then the validating ones.</summary>
internal sealed class Webhooks(ObjectStore store, TimeProvider time) : IDisposable
{
    private readonly WebhookClients _clients = new();

    public async Task Mutate(AdmissionCall call, Action<JsonObject> normalise)
    {
        var again = new List<(JsonObject Webhook, JsonObject? Left)>();
        foreach (var webhook in Interested(Resources.MutatingWebhooks, call))
        {
            await Mutate(webhook, call, normalise);
            if (webhook.TextAt("reinvocationPolicy") is "IfNeeded")
                again.Add((webhook, call.Object?.DeepClone() as JsonObject));
        }
        // Once more for those who asked for it, if somebody changed the object after them.
        foreach (var (webhook, left) in again)
        {
            if (!Json.Same(left, call.Object))
                await Mutate(webhook, call, normalise);
        }
    }

    public async Task Validate(AdmissionCall call)
    {
        foreach (var webhook in Interested(Resources.ValidatingWebhooks, call))
            await Ask(webhook, call);
    }

    public void Dispose() => _clients.Dispose();

    private async Task Mutate(JsonObject webhook, AdmissionCall call, Action<JsonObject> normalise)
    {
        // A deletion has no object that could be changed.
        if (await Ask(webhook, call) is not { } response || response.TextAt("patch") is not { Length: > 0 } patch || call.Object is null)
            return;
        call.Object = Patched(webhook, call, response, patch);
        normalise(call.Object);
    }

    // The configurations themselves are never sent to webhooks, or a broken one could not be removed.
    private JsonObject[] Interested(Resource configurations, AdmissionCall call)
    {
        if (call.Resource == Resources.MutatingWebhooks || call.Resource == Resources.ValidatingWebhooks)
            return [];
        var covering = store.List(configurations).Objects.SelectMany(Webhook.Of).Where(w => w.Covers(call)).ToArray();
        if (covering.Length == 0)
            return [];
        var labels = call.Namespace.Length == 0 ? null : store.Find(Resources.Namespaces, "", call.Namespace)?.Body.MapAt("metadata", "labels");
        return [.. covering.Where(w => w.Selects(call, labels)).Select(w => w.Body)];
    }

    /// <summary>Returns the webhook's answer; null when it failed and may be ignored. A refusal is thrown with its words.</summary>
    private async Task<JsonObject?> Ask(JsonObject webhook, AdmissionCall call)
    {
        var name = webhook.TextAt("name") ?? "";
        if (call.DryRun && webhook.TextAt("sideEffects") is not ("None" or "NoneOnDryRun"))
            throw KubernetesError.BadRequest($"admission webhook \"{name}\" does not support dry run");
        var version = webhook["admissionReviewVersions"].Texts().First(v => v is "v1" or "v1beta1");
        var uid = Guid.NewGuid().ToString();
        JsonObject response;
        try
        {
            var review = await _clients.Post(webhook, AdmissionReviews.Make(call, version, uid), time);
            response = Checked(review, version, uid);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or FormatException or CryptographicException)
        {
            if (webhook.TextAt("failurePolicy") is "Ignore")
                return null;
            throw KubernetesError.Internal($"failed calling webhook \"{name}\": failed to call webhook: {e.Message}");
        }
        call.Warnings.AddRange(response["warnings"].Texts());
        return response.FlagAt("allowed") ? response : throw Denied(name, response["status"] as JsonObject ?? []);
    }

    private static JsonObject Checked(JsonObject review, string version, string uid)
    {
        if (review.TextAt("kind") is not "AdmissionReview" || review.TextAt("apiVersion") != $"admission.k8s.io/{version}")
        {
            throw new FormatException(
                $"expected webhook response of admission.k8s.io/{version}, Kind=AdmissionReview, got {review.TextAt("apiVersion")}, Kind={review.TextAt("kind")}");
        }
        if (review["response"] is not JsonObject response)
            throw new FormatException("webhook response was absent");
        if (version is "v1" && response.TextAt("uid") != uid)
            throw new FormatException($"expected response.uid=\"{uid}\", got \"{response.TextAt("uid")}\"");
        if (version is "v1" && response.TextAt("patch") is { Length: > 0 } && response.TextAt("patchType") is not "JSONPatch")
            throw new FormatException($"webhook returned response.patch but not response.patchType of JSONPatch");
        return response;
    }

    private static JsonObject Patched(JsonObject webhook, AdmissionCall call, JsonObject response, string patch)
    {
        var typed = AdmissionReviews.Make(call, "v1", "").MapAt("request", "object")!;
        try
        {
            var operations = Json.Parse(Convert.FromBase64String(patch)) as JsonArray ?? throw new FormatException("the patch is no list");
            var patched = JsonPatch.Apply(typed, operations);
            patched.Remove("kind");
            patched.Remove("apiVersion");
            return patched;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw KubernetesError.Internal($"failed to apply the patch of admission webhook \"{webhook.TextAt("name")}\": {e.Message} ({Json.Text(response["patchType"])})");
        }
    }

    // webhook errors.ToStatusErr: the webhook's own status goes to the client, with at least code 400.
    private static KubernetesError Denied(string webhook, JsonObject status)
    {
        var code = (int)Math.Max(400, status.NumberAt("code") ?? 0);
        var deniedBy = $"admission webhook \"{webhook}\" denied the request";
        var why = status.TextAt("message") is { Length: > 0 } message ? message : status.TextAt("reason");
        var text = string.IsNullOrEmpty(why) ? $"{deniedBy} without explanation" : $"{deniedBy}: {why}";
        var reason = status.TextAt("reason") ?? "";
        var made = new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Failure", ["message"] = text };
        if (reason.Length > 0)
            made["reason"] = reason;
        if (status["details"] is { } details)
            made["details"] = details.DeepClone();
        made["code"] = code;
        return new(code, reason, text) { Status = made };
    }
}
