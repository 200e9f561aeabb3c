namespace Hami.Api.Access;

/// <summary>What somebody may see.</summary>
/// <param name="AllNamespaces">Whether the pods of every namespace, those of namespaces that are gone included.</param>
/// <param name="Nodes">Whether nodes and their cards.</param>
/// <param name="Namespaces">Where not all: the namespaces whose pods may be seen.</param>
public sealed record Scope(bool AllNamespaces, bool Nodes, IReadOnlySet<string> Namespaces)
{
    /// <summary>Of an admin, or of anybody where nobody is asked who they are.</summary>
    public static readonly Scope Everything = new(AllNamespaces: true, Nodes: true, new HashSet<string>(StringComparer.Ordinal));

    /// <summary>Whether this is the cluster as a whole: what concerns no one namespace is shown too.</summary>
    public bool IsCluster => AllNamespaces && Nodes;

    /// <summary>Whether the pods of a namespace may be seen; what cannot be said to belong to one belongs to the cluster.</summary>
    public bool Sees(string? @namespace) => AllNamespaces || (@namespace is not null && Namespaces.Contains(@namespace));
}

/// <summary>Who asks.</summary>
/// <param name="Name">As the API server, or the issuer of the token, calls them.</param>
public sealed record Viewer(string Name, Scope Scope);
