namespace Hami.Api.Asking;

/// <summary>One page of a list.</summary>
public sealed class Connection<T>(IReadOnlyList<Edge<T>> edges, bool hasNextPage, Func<CancellationToken, Task<long>> count)
{
    /// <summary>The rows of this page, each with its cursor.</summary>
    public IReadOnlyList<Edge<T>> Edges => edges;

    /// <summary>The rows of this page alone.</summary>
    public IReadOnlyList<T> Items => [.. edges.Select(e => e.Node)];

    /// <summary>Where this page ends, and whether it is the last.</summary>
    public PageInfo PageInfo => new(hasNextPage, edges.Count > 0 ? edges[^1].Cursor : null);

    /// <summary>How many rows all pages have together; counted only where it is asked for.</summary>
    public Task<long> TotalCount(CancellationToken cancellationToken) => count(cancellationToken);
}

/// <summary>A row and where it stands in its list.</summary>
/// <param name="Cursor">Give it as <c>after</c> to go on behind this row.</param>
/// <param name="Node">The row.</param>
public sealed record Edge<T>(string Cursor, T Node);

/// <summary>Where a page ends.</summary>
/// <param name="HasNextPage">Whether there is more behind it.</param>
/// <param name="EndCursor">Cursor of its last row; null for an empty page.</param>
public sealed record PageInfo(bool HasNextPage, string? EndCursor);
