using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using k8s;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>Objects of Kubernetes as the client library reads and writes them: dates, quantities and enumerations as everywhere else.</summary>
internal static class ClientJson
{
    /// <summary>The client's own.</summary>
    public static readonly JsonSerializerOptions Options = OfTheClient();

    /// <summary>The same with some types described otherwise.</summary>
    public static JsonSerializerOptions With(Action<JsonTypeInfo> change) => new(Options) { TypeInfoResolver = Options.TypeInfoResolver!.WithAddedModifier(change) };

    /// <summary>The same without what nobody asks for, which is passed over: most of a pod, where few of its fields are read.</summary>
    /// <param name="unread">By type: properties as JSON names them, which then are null.</param>
    public static JsonSerializerOptions Without(IReadOnlyDictionary<Type, string[]> unread) => With(info =>
    {
        foreach (var property in info.Properties.Where(p => unread.GetValueOrDefault(info.Type)?.Contains(p.Name) is true).ToList())
            info.Properties.Remove(property);
    });

    private static JsonSerializerOptions OfTheClient()
    {
        JsonSerializerOptions? options = null;
        KubernetesJson.AddJsonOptions(its => options = its);
        return options!;
    }
}
