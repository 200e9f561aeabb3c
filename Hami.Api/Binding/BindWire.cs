using System.Text.Json.Serialization;

namespace Hami.Api.Binding;

/// <summary>kube-scheduler's <c>ExtenderBindingArgs</c>.</summary>
internal sealed record BindArguments(string? PodName, string? PodNamespace, [property: JsonPropertyName("PodUID")] string? PodUid, string? Node);

/// <summary>kube-scheduler's <c>ExtenderBindingResult</c>.</summary>
internal sealed record BindResult(string Error)
{
    public static readonly BindResult Bound = new("");
}
