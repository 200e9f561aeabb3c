using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What holds for the metadata of every object (apimachinery, api/validation).</summary>
internal static class ObjectChecks
{
    private const int AnnotationBytes = 256 * 1024;

    public static IReadOnlyList<Cause> Of(JsonObject body, Resource resource)
    {
        var causes = new Causes();
        var metadata = body.Child("metadata");
        // A name still to be finished may end in a dash.
        if (metadata.TextAt("generateName") is { Length: > 0 } prefix)
            causes.Invalid("metadata.generateName", prefix, Named(resource, prefix.EndsWith('-') ? prefix[..^1] + "a" : prefix));
        if (metadata.TextAt("name") is { Length: > 0 } name)
            causes.Invalid("metadata.name", name, Named(resource, name));
        else
            causes.Required("metadata.name", "name or generateName is required");
        causes.Labels(metadata.MapAt("labels"), "metadata.labels");
        causes.Add(OfAnnotations(metadata.MapAt("annotations") ?? [], "metadata.annotations"));
        CheckOwners(metadata["ownerReferences"], causes);
        CheckFinalizers([.. metadata["finalizers"].Texts()], resource, causes);
        return causes.Found;
    }

    /// <summary>What an update may not do to the metadata of any object.</summary>
    public static IReadOnlyList<Cause> OfUpdate(JsonObject body, JsonObject old)
    {
        if (old.TextAt("metadata", "deletionTimestamp") is null)
            return [];
        var added = body.At("metadata", "finalizers").Texts().Except(old.At("metadata", "finalizers").Texts(), StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        return added.Length == 0
            ? []
            : [Cause.Forbidden("metadata.finalizers",
                $"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{string.Join(", ", added.Select(a => $"\"{a}\""))}}}")];
    }

    public static IReadOnlyList<Cause> OfAnnotations(JsonObject annotations, string at)
    {
        var causes = new Causes();
        var bytes = 0L;
        foreach (var (key, value) in annotations)
        {
            bytes += Encoding.UTF8.GetByteCount(key) + Encoding.UTF8.GetByteCount(value.Text());
            causes.Invalid(at, key, Formats.QualifiedName(key.ToLowerInvariant()));
        }
        if (bytes > AnnotationBytes)
            causes.TooLong(at, AnnotationBytes);
        return causes.Found;
    }

    // RBAC's names are segments of a path, not names of hosts.
    private static IEnumerable<string> Named(Resource resource, string name) => RoleRules.AreAbout(resource)
        ? PathSegment(name)
        : ReferenceEquals(resource, Resources.Namespaces) ? Formats.Label(name) : Formats.Subdomain(name);

    private static IEnumerable<string> PathSegment(string name)
    {
        if (name is "." or "..")
            yield return $"may not be '{name}'";
        foreach (var part in ((string[])["/", "%"]).Where(p => name.Contains(p, StringComparison.Ordinal)))
            yield return $"may not contain '{part}'";
    }

    private static void CheckFinalizers(string[] finalizers, Resource resource, Causes causes)
    {
        foreach (var finalizer in finalizers)
            causes.Invalid("metadata.finalizers", finalizer, Formats.QualifiedName(finalizer));
        if (resource.Group is not ("" or "apps" or "batch"))
            return;
        for (var i = 0; i < finalizers.Length; i++)
            causes.Invalid($"metadata.finalizers[{i}]", finalizers[i], Formats.OldFinalizer(finalizers[i]));
    }

    private static void CheckOwners(JsonNode? owners, Causes causes)
    {
        const string at = "metadata.ownerReferences";
        string? controller = null;
        foreach (var owner in owners.Objects())
        {
            foreach (var (field, word) in new[] { ("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid") })
            {
                if (string.IsNullOrEmpty(owner.TextAt(field)))
                    causes.Invalid($"{at}.{field}", "", $"{word} must not be empty");
            }
            if (owner.TextAt("apiVersion") is "v1" && owner.TextAt("kind") is "Event")
                causes.Invalid(at, owner.DeepClone(), "/v1, Kind=Event is disallowed from being an owner");
            if (!owner.FlagAt("controller"))
                continue;
            if (controller is not null)
                causes.Invalid(at, owners!.DeepClone(), $"Only one reference can have Controller set to true. Found \"true\" in references for {controller} and {owner.TextAt("name")}");
            controller ??= owner.TextAt("name");
        }
    }
}
