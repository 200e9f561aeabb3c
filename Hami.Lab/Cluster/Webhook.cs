using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>What makes the API server show new pods to the control plane.</summary>
internal static class Webhook
{
    public const string Name = "hami-webhook";

    public static V1MutatingWebhookConfiguration Configuration(Uri url, string authorityPem) => new()
    {
        ApiVersion = "admissionregistration.k8s.io/v1",
        Kind = "MutatingWebhookConfiguration",
        Metadata = new() { Name = Name },
        Webhooks =
        [
            new()
            {
                Name = "vgpu.hami.io",
                AdmissionReviewVersions = ["v1", "v1beta1"],
                ClientConfig = new() { Url = url.ToString(), CaBundle = System.Text.Encoding.ASCII.GetBytes(authorityPem) },
                Rules =
                [
                    new() { ApiGroups = [""], ApiVersions = ["v1"], Resources = ["pods"], Operations = ["CREATE"], Scope = "*" },
                ],
                // HAMi's chart and ours default to this label for pods and namespaces that want no part in it.
                ObjectSelector = NotIgnored(),
                NamespaceSelector = NotIgnored(),
                // The product's own is Fail, narrowed by matchConditions to pods that name our resources. The stand-in API server evaluates
                // no CEL, and an unnarrowed Fail would stop every pod while the control plane is down. A pod that slips by unseen is
                // still placed by the extender, as the scheduler asks it for every pod with our resources; it only lacks the defaults.
                FailurePolicy = "Ignore",
                ReinvocationPolicy = "Never",
                SideEffects = "None",
                TimeoutSeconds = 10,
            },
        ],
    };

    private static V1LabelSelector NotIgnored() => new()
    {
        MatchExpressions = [new() { Key = "hami.io/webhook", OperatorProperty = "NotIn", Values = ["ignore"] }],
    };
}
