using System.Collections.Concurrent;

namespace Hami.Api.Registering;

/// <summary>Names of the nodes of the cluster, with cards or without.</summary>
internal sealed class SeenNodes
{
    private readonly ConcurrentDictionary<string, byte> _nodes = new(StringComparer.Ordinal);

    public bool Knows(string node) => _nodes.ContainsKey(node);

    public void See(string node) => _nodes.TryAdd(node, 0);

    public void Forget(string node) => _nodes.TryRemove(node, out _);

    public IEnumerable<string> Names => _nodes.Keys;
}
