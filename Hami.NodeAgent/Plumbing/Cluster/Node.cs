namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>A node as the API server tells it: its annotations are all that this agent reads and writes.</summary>
internal sealed record Node(ObjectMeta Metadata);
