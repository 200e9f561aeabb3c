using Hami.Domain.Placing;
using Hami.Domain.Protocol;

namespace Hami.Domain.Admitting;

/// <summary>Annotations and labels in which results stand: a pod that brought them along would claim cards it was not given.</summary>
internal static class ResultKeys
{
    private const string Ours = "hami.io/";

    // Families, so that the results of other vendors, and of versions to come, are among them.
    private static readonly string[] Beginnings = ["hami.io/vgpu-", "hami.io/bind-", "hami.io/allocation-", "hami.io/signature"];
    private static readonly string[] Endings = ["-to-allocate", "-allocated"];

    /// <summary>Takes them off a pod and tells its author.</summary>
    public static void Strip(PodShape pod, List<PodChange> changes, List<string> warnings)
    {
        foreach (var key in pod.Annotations.Keys.Where(IsResult))
        {
            changes.Add(new PodChange.RemovedAnnotation(key));
            warnings.Add($"metadata.annotations[{key}] is written by HAMi alone and was removed");
        }
        foreach (var key in pod.Labels.Keys.Where(IsResult))
        {
            changes.Add(new PodChange.RemovedLabel(key));
            warnings.Add($"metadata.labels[{key}] is written by HAMi alone and was removed");
        }
    }

    /// <summary>What stands in a result; policies, weights and the opt-out label are the user's own.</summary>
    internal static bool IsResult(string key) =>
        key.StartsWith(Ours, StringComparison.Ordinal)
        && (key is HamiKeys.Wake
            || Array.Exists(Beginnings, b => key.StartsWith(b, StringComparison.Ordinal))
            || Array.Exists(Endings, e => key.EndsWith(e, StringComparison.Ordinal)));
}
