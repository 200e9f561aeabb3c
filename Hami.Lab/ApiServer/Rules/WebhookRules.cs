using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>admissionregistration.k8s.io/v1: defaults and checks of webhook configurations.</summary>
internal sealed class WebhookRules(bool mutating) : ResourceRules
{
    public override void Default(JsonObject body)
    {
        foreach (var webhook in body["webhooks"].Objects())
        {
            webhook.SetIfMissing("failurePolicy", "Fail");
            webhook.SetIfMissing("matchPolicy", "Equivalent");
            webhook.SetIfMissing("timeoutSeconds", 10);
            if (mutating)
                webhook.SetIfMissing("reinvocationPolicy", "Never");
            webhook.SetIfMissing("namespaceSelector", new JsonObject());
            webhook.SetIfMissing("objectSelector", new JsonObject());
            foreach (var rule in webhook["rules"].Objects())
                rule.SetIfMissing("scope", "*");
            if (webhook.MapAt("clientConfig", "service") is { } service)
                service.SetIfMissing("port", 443);
        }
    }

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var i = 0;
        foreach (var webhook in body["webhooks"].Objects())
        {
            var at = $"webhooks[{i++}]";
            if (string.IsNullOrEmpty(webhook.TextAt("name")))
                yield return Cause.Required($"{at}.name");
            // CEL is not evaluated here, and a condition that is not asked would be a webhook that is called too often.
            if (webhook["matchConditions"] is JsonArray { Count: > 0 })
                yield return Cause.Forbidden($"{at}.matchConditions", "the lab's API server does not evaluate CEL matchConditions");
            if (webhook.ListAt("admissionReviewVersions") is not { Count: > 0 } versions)
                yield return Cause.Required($"{at}.admissionReviewVersions", "must specify one of v1, v1beta1");
            else if (!versions.Any(v => v!.GetValue<string>() is "v1" or "v1beta1"))
                yield return Cause.Invalid($"{at}.admissionReviewVersions", versions, "must include at least one of v1, v1beta1");
            switch (webhook.TextAt("sideEffects"))
            {
                case null:
                    yield return Cause.Required($"{at}.sideEffects", "must specify one of None, NoneOnDryRun");
                    break;
                case not ("None" or "NoneOnDryRun"):
                    yield return Cause.Unsupported($"{at}.sideEffects", webhook.TextAt("sideEffects"), "None", "NoneOnDryRun");
                    break;
            }
            if (webhook.NumberAt("timeoutSeconds") is < 1 or > 30)
                yield return Cause.Invalid($"{at}.timeoutSeconds", webhook["timeoutSeconds"], "the timeout value must be between 1 and 30 seconds");
            if (webhook.TextAt("failurePolicy") is { } policy and not ("Ignore" or "Fail"))
                yield return Cause.Unsupported($"{at}.failurePolicy", policy, "Fail", "Ignore");
            var url = webhook.TextAt("clientConfig", "url");
            if ((url is null) == (webhook.MapAt("clientConfig", "service") is null))
                yield return Cause.Required($"{at}.clientConfig", "exactly one of url or service is required");
            else if (url is not null && (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.Scheme is not "https"))
                yield return Cause.Invalid($"{at}.clientConfig.url", url.Split(':')[0], "'https' is the only allowed URL scheme; desired format: https://host[/path]");
        }
    }
}
