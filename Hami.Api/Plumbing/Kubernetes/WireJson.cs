using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Api.Admitting;
using Hami.Api.Binding;
using Hami.Api.Placing;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>Readers and writers made at compile time for what the API server and kube-scheduler send us; names match in any casing.</summary>
[JsonSourceGenerationOptions(PropertyNameCaseInsensitive = true, AllowOutOfOrderMetadataProperties = true)]
[JsonSerializable(typeof(PodJson))]
[JsonSerializable(typeof(BindArguments))]
[JsonSerializable(typeof(BindResult))]
[JsonSerializable(typeof(AdmissionReview))]
[JsonSerializable(typeof(PreemptArguments))]
[JsonSerializable(typeof(PreemptResult))]
internal sealed partial class WireJson : JsonSerializerContext
{
    /// <summary>Says in one sentence why a body could not be read.</summary>
    public static string Explain(JsonException e) =>
        $"the request body is not the JSON expected here: {e.Message}";
}
