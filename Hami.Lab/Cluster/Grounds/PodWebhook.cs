using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>What makes the API server show new pods to the control plane.</summary>
internal static class PodWebhook
{
    public static V1MutatingWebhookConfiguration Configuration(string name, Uri url, string authorityPem, string failurePolicy) => new()
    {
        ApiVersion = "admissionregistration.k8s.io/v1",
        Kind = "MutatingWebhookConfiguration",
        Metadata = new() { Name = name },
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
                FailurePolicy = failurePolicy,
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
