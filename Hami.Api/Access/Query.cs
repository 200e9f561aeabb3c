using GraphQL;
using Hami.Api.Access;

namespace Hami.Api;

/// <summary>Who you are, and what you may see.</summary>
/// <param name="Name">Your name, as the API server or the issuer of your token says it.</param>
/// <param name="AllNamespaces">Whether you see the pods of all namespaces.</param>
/// <param name="Nodes">Whether you see nodes and cards.</param>
/// <param name="Namespaces">Where not all: the namespaces whose pods you see, by name.</param>
public sealed record You(string Name, bool AllNamespaces, bool Nodes, IReadOnlyList<string> Namespaces);

public sealed partial class Query
{
    /// <summary>Who you are, and what you may see.</summary>
    public static You You([FromServices] Asker asker) =>
        new(asker.Viewer.Name, asker.Scope.AllNamespaces, asker.Scope.Nodes, [.. asker.Scope.Namespaces.Order(StringComparer.Ordinal)]);
}
