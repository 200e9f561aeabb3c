using System.Text.Json;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>A JSON merge patch of an object's annotations.</summary>
internal sealed record MergePatch(MergePatch.Meta Metadata)
{
    /// <param name="annotations">A null value takes the annotation away.</param>
    /// <param name="uid">A precondition: the API server refuses to patch another object of that name. None when null.</param>
    public static string Annotations(IReadOnlyDictionary<string, string?> annotations, string? uid = null) =>
        JsonSerializer.Serialize(new MergePatch(new Meta(annotations, uid)), ClusterJson.Default.MergePatch);

    internal sealed record Meta(IReadOnlyDictionary<string, string?> Annotations, string? Uid);
}
