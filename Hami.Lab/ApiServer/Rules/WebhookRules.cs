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

    public override IEnumerable<Cause> Validate(JsonObject body) => WebhookChecks.Of(body);
}
