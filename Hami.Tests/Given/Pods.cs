using Hami.Domain.Placing;

namespace Hami.Tests.Given;

/// <summary>Shapes of pods as admission and placement read them.</summary>
internal static class Pods
{
    public static readonly IReadOnlyDictionary<string, decimal> None = new Dictionary<string, decimal>(StringComparer.Ordinal);

    public static PodShape Shape(string name, params ContainerShape[] containers) =>
        new($"uid-{name}", "default", name, new Dictionary<string, string>(StringComparer.Ordinal), containers);

    public static ContainerShape Container(
        string name, long? gpu = null, long? mem = null, long? percent = null, long? cores = null, bool isInit = false, bool isSidecar = false)
    {
        var limits = new Dictionary<string, decimal>(StringComparer.Ordinal);
        Add("nvidia.com/gpu", gpu);
        Add("nvidia.com/gpumem", mem);
        Add("nvidia.com/gpumem-percentage", percent);
        Add("nvidia.com/gpucores", cores);
        return new(name, isInit, isSidecar, limits, limits);

        void Add(string resource, long? value)
        {
            if (value is { } v)
                limits[resource] = v;
        }
    }
}
