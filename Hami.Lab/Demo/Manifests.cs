using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;

namespace Hami.Lab.Demo;

/// <summary>Kubernetes objects from YAML text, whatever their kind, as kubectl reads them.</summary>
internal static class Manifests
{
    public static IEnumerable<JsonObject> Read(string yaml) => Yaml.Read(yaml).OfType<JsonObject>();
}
