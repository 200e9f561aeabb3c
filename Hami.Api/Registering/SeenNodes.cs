using System.Collections.Concurrent;

namespace Hami.Api.Registering;

/// <summary>The nodes of the cluster, with cards or without, as the watch tells of them.</summary>
public sealed class SeenNodes
{
    private readonly ConcurrentDictionary<string, NodeFacts> _nodes = new(StringComparer.Ordinal);

    internal bool Knows(string node) => _nodes.ContainsKey(node);

    /// <summary>True for a node with an agent of ours; any other has HAMi's device plugin, which wants binds one at a time.</summary>
    internal bool IsOurs(string node) => Find(node)?.AgentVersion is not null;

    internal NodeFacts? Find(string node) => _nodes.GetValueOrDefault(node);

    internal void See(string node, NodeFacts facts) => _nodes[node] = facts;

    internal void Forget(string node) => _nodes.TryRemove(node, out _);

    internal IEnumerable<string> Names => _nodes.Keys;
}
