using System.Text.Json;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using k8s.Models;

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

    /// <summary>Resources written as <c>gpu=1 gpumem=3000</c>, ours without their domain.</summary>
    public static Dictionary<string, decimal> Quantities(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(entry => entry.Split('='))
        .ToDictionary(
            entry => entry[0] is "cpu" or "memory" || entry[0].Contains('/', StringComparison.Ordinal) ? entry[0] : $"nvidia.com/{entry[0]}",
            entry => Quantity.TryParse(entry[1], out var value) ? value : throw new FormatException(entry[1]), StringComparer.Ordinal);

    /// <summary>One container, as the API server sends it.</summary>
    public static ContainerShape Written(string limits, string requests = "", string name = "main", bool isInit = false, bool isSidecar = false) =>
        new(name, isInit, isSidecar, Quantities(limits), Quantities(requests));

    /// <summary>The shape of a pod that is given as JSON.</summary>
    public static PodShape Read(string json) => JsonSerializer.Deserialize(json, WireJson.Default.PodJson)!.Shape(ResourceNames.Nvidia);

    /// <summary>A pod in <c>default</c> whose one container asks for so many cards, to be created.</summary>
    public static V1Pod Made(string name, int gpu, long memoryMiB) => new()
    {
        Metadata = new() { Name = name, NamespaceProperty = "default" },
        Spec = new()
        {
            SchedulerName = "hami-scheduler",
            Containers =
            [
                new()
                {
                    Name = "main", Image = "x",
                    Resources = new()
                    {
                        Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal)
                        {
                            ["nvidia.com/gpu"] = new($"{gpu}"), ["nvidia.com/gpumem"] = new($"{memoryMiB}"),
                        },
                    },
                },
            ],
        },
    };
}
