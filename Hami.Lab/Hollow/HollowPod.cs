namespace Hami.Lab.Hollow;

/// <summary>A pod on a hollow node: only what is needed to end it.</summary>
internal sealed class HollowPod
{
    public required string Uid { get; init; }

    public required string Namespace { get; init; }

    public required string Name { get; init; }

    public required HollowNode Node { get; init; }

    public required IReadOnlyList<string> Init { get; init; }

    public required IReadOnlyList<string> Containers { get; init; }

    public DateTimeOffset StartedAt { get; set; }

    /// <summary>Whether it ends by itself, some day.</summary>
    public bool IsToEnd { get; set; }

    public bool HasEnded { get; set; }

    public bool IsLeaving { get; set; }

    /// <summary>Whether the list that is being told has named it.</summary>
    public int NamedIn { get; set; }

    public string Path => $"/api/v1/namespaces/{Namespace}/pods/{Name}";
}
