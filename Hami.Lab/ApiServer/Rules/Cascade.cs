using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What becomes of an object's dependents is written on the object as a finalizer; the garbage collector reads it there.</summary>
internal static class Cascade
{
    public const string Orphan = "orphan";
    public const string Foreground = "foregroundDeletion";

    /// <summary>The object with the finalizers its deletion asks for; null when it has them already (registry: deletionFinalizersForGarbageCollection).</summary>
    public static JsonObject? Held(Stored current, JsonObject asked)
    {
        var old = current.Body.At("metadata", "finalizers").Texts().ToArray();
        var policy = asked.TextAt("propagationPolicy") ?? asked.TextAt("orphanDependents") switch
        {
            "true" => "Orphan",
            "false" => "Background",
            _ => old.Contains(Orphan, StringComparer.Ordinal) ? "Orphan"
                : old.Contains(Foreground, StringComparer.Ordinal) ? "Foreground"
                // batch/v1 keeps what its first clients expected.
                : current.Resource == Resources.Jobs ? "Orphan"
                : "Background",
        };
        string[] wanted = policy switch
        {
            "Orphan" => [.. Others(old), Orphan],
            "Foreground" => [.. Others(old), Foreground],
            "Background" => [.. Others(old)],
            _ => throw KubernetesError.Invalid(new Resource("meta.k8s.io", "v1", "", "DeleteOptions", typeof(object)), "",
                Cause.Unsupported("propagationPolicy", policy, "Foreground", "Background", "Orphan", "nil")),
        };
        if (wanted.SequenceEqual(old, StringComparer.Ordinal))
            return null;
        var body = Json.Copy(current.Body);
        body.Child("metadata").Put("finalizers", wanted.Length > 0 ? Json.Texts(wanted) : null);
        return body;
    }

    private static IEnumerable<string> Others(string[] finalizers) => finalizers.Where(f => f is not (Orphan or Foreground));
}
