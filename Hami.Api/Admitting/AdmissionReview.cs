using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Api.Plumbing.Kubernetes;

namespace Hami.Api.Admitting;

/// <summary>The API server's <c>AdmissionReview</c>, <c>admission.k8s.io/v1</c> and <c>v1beta1</c> alike.</summary>
internal sealed record AdmissionReview
{
    [JsonPropertyName("apiVersion")] public string? ApiVersion { get; init; }

    [JsonPropertyName("kind")] public string? Kind { get; init; }

    [JsonPropertyName("request"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public AdmissionRequest? Request { get; init; }

    [JsonPropertyName("response"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public AdmissionResponse? Response { get; init; }
}

internal sealed record AdmissionRequest(string? Uid, string? Namespace, string? Operation, PodJson? Object);

internal sealed record AdmissionResponse
{
    [JsonPropertyName("uid")] public string Uid { get; init; } = "";

    [JsonPropertyName("allowed")] public bool Allowed { get; init; }

    [JsonPropertyName("status"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public AdmissionStatus? Status { get; init; }

    [JsonPropertyName("patchType"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public string? PatchType { get; init; }

    [JsonPropertyName("patch"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public byte[]? Patch { get; init; }

    /// <summary>What kubectl shows to the pod's author.</summary>
    [JsonPropertyName("warnings"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public IReadOnlyList<string>? Warnings { get; init; }
}

internal sealed record AdmissionStatus(
    [property: JsonPropertyName("code")] int Code,
    [property: JsonPropertyName("message")] string Message,
    [property: JsonPropertyName("reason"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason = null);
