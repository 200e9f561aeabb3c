namespace Hami.Domain.Ledger;

/// <summary>What a pod belongs to, so that use can be told by workload and not by pods that come and go.</summary>
/// <remarks>Stored for ever: add a field with a default, never rename or repurpose one.</remarks>
/// <param name="Kind">Such as <c>Deployment</c> or <c>Job</c>.</param>
public sealed record WorkloadOwner(string Kind, string Name)
{
    private const string TemplateHash = "pod-template-hash";

    // Kubernetes bounds names of objects, but neither of these where they stand in a reference.
    private const int LongestKind = 63;
    private const int LongestName = 253;

    /// <summary>The owner of a pod by its controlling reference; null when it has none, or one that no object could have.</summary>
    public static WorkloadOwner? Of(string? kind, string? name, IReadOnlyDictionary<string, string> labels)
    {
        if (!IsWord(kind, LongestKind) || !IsWord(name, LongestName))
            return null;
        // A Deployment names its ReplicaSets after itself and a hash that it also labels the pods with.
        return kind == "ReplicaSet" && labels.GetValueOrDefault(TemplateHash) is { Length: > 0 } hash && name.Length > hash.Length + 1 && name.EndsWith($"-{hash}", StringComparison.Ordinal)
            ? new("Deployment", name[..^(hash.Length + 1)])
            : new(kind, name);
    }

    private static bool IsWord([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] string? text, int longest) =>
        text is { Length: > 0 } && text.Length <= longest && !text.Any(char.IsControl);
}
