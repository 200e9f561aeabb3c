using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hami.NodeAgent.Plumbing;

/// <summary>YAML that people wrote.</summary>
internal static class Yaml
{
    /// <summary>What stands behind a key; null also where nothing does.</summary>
    public static YamlNode? Child(YamlMappingNode entry, string key) =>
        entry.Children.TryGetValue(new YamlScalarNode(key), out var child) && child is not YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" } ? child : null;
}
