using System.Collections.Concurrent;

namespace Hami.Api.Registering;

/// <summary>Names of the nodes of the cluster, with cards or without.</summary>
internal sealed class SeenNodes
{
    private readonly ConcurrentDictionary<string, bool> _nodes = new(StringComparer.Ordinal);

    public bool Knows(string node) => _nodes.ContainsKey(node);

    /// <summary>True for a node with an agent of ours; any other has HAMi's device plugin, which wants binds one at a time.</summary>
    public bool IsOurs(string node) => _nodes.TryGetValue(node, out var ours) && ours;

    public void See(string node, bool isOurs) => _nodes[node] = isOurs;

    public void Forget(string node) => _nodes.TryRemove(node, out _);

    public IEnumerable<string> Names => _nodes.Keys;
}
