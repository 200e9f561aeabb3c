using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Volumes of a pod. Sources of clouds and storage systems are only counted: nothing here could mount them.</summary>
internal static class VolumeChecks
{
    private const string OnlyOne = "may not specify more than 1 volume type";

    // In the order in which a server looks, which decides which of two is the one too many.
    private static readonly string[] Sources =
    [
        "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi", "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder",
        "cephfs", "quobyte", "downwardAPI", "fc", "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos",
        "projected", "scaleIO", "csi", "ephemeral", "image",
    ];

    private static readonly string[] PathTypes = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

    /// <summary>Returns the volumes that can be mounted: those nothing is wrong with.</summary>
    public static Dictionary<string, JsonObject> Check(JsonNode? volumes, string at, Causes causes)
    {
        var good = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var (volume, here) in volumes.Numbered(at))
        {
            var wrong = new Causes();
            CheckSource(volume, here, wrong);
            var name = volume.TextAt("name") ?? "";
            if (name.Length == 0)
                wrong.Required($"{here}.name");
            else
                wrong.Invalid($"{here}.name", name, Formats.Label(name));
            if (good.ContainsKey(name))
                wrong.Duplicate($"{here}.name", name);
            if (!wrong.Any)
                good[name] = volume;
            causes.Add(wrong.Found);
        }
        return good;
    }

    private static void CheckSource(JsonObject volume, string at, Causes causes)
    {
        var chosen = Sources.Where(s => volume[s] is JsonObject).ToArray();
        if (chosen.Length == 0)
            causes.Required(at, "must specify a volume type");
        for (var i = 0; i < chosen.Length; i++)
        {
            // The server's own slip of the pen is wire format too.
            var name = chosen[i] switch { "downwardAPI" => "downwarAPI", "cephfs" => "cephFS", var other => other };
            if (i > 0)
                causes.Forbidden($"{at}.{name}", OnlyOne);
            else
                CheckKind(chosen[i], volume.MapAt(chosen[i])!, $"{at}.{chosen[i]}", causes);
        }
    }

    private static void CheckKind(string kind, JsonObject source, string at, Causes causes)
    {
        switch (kind)
        {
            case "emptyDir" when source.TextAt("sizeLimit") is { } limit && Quantities.Amount(limit) < 0:
                causes.Forbidden($"{at}.sizeLimit", "SizeLimit field must be a valid resource quantity");
                break;
            case "hostPath":
                CheckHostPath(source, at, causes);
                break;
            case "secret" or "configMap":
                causes.Present(source, kind is "secret" ? "secretName" : "name", at);
                CheckMode(source, "defaultMode", at, causes);
                CheckItems(source["items"], $"{at}.items", causes);
                break;
            case "persistentVolumeClaim":
                causes.Present(source, "claimName", at);
                break;
            case "nfs":
                causes.Present(source, "server", at);
                if (causes.Present(source, "path", at) && !source.TextAt("path")!.StartsWith('/'))
                    causes.Invalid($"{at}.path", source.TextAt("path"), "must be an absolute path");
                break;
            case "downwardAPI":
                CheckMode(source, "defaultMode", at, causes);
                foreach (var file in source["items"].Objects())
                    CheckFile(file, at, causes);
                break;
            case "projected":
                CheckMode(source, "defaultMode", at, causes);
                CheckProjected(source["sources"], at, causes);
                break;
            case "csi":
                causes.Present(source, "driver", at);
                causes.Invalid($"{at}.driver", source.TextAt("driver") ?? "", Formats.Subdomain((source.TextAt("driver") ?? "").ToLowerInvariant()));
                break;
            case "ephemeral" when source["volumeClaimTemplate"] is not JsonObject:
                causes.Required($"{at}.volumeClaimTemplate");
                break;
            case "image":
                causes.Present(source, "reference", at);
                causes.OneOf(source, "pullPolicy", at, "Always", "IfNotPresent", "Never");
                break;
        }
    }

    private static void CheckHostPath(JsonObject source, string at, Causes causes)
    {
        if (!causes.Present(source, "path", at))
            return;
        causes.Invalid($"{at}.path", source.TextAt("path")!, Formats.PathWithoutSteps(source.TextAt("path")!));
        causes.OneOf(source, "type", at, PathTypes);
    }

    private static void CheckItems(JsonNode? items, string at, Causes causes)
    {
        foreach (var (item, here) in items.Numbered(at))
            CheckItem(item, here, causes);
    }

    private static void CheckItem(JsonObject item, string at, Causes causes)
    {
        causes.Present(item, "key", at);
        causes.Present(item, "path", at);
        causes.Invalid($"{at}.path", item.TextAt("path") ?? "", Formats.FileInVolume(item.TextAt("path") ?? ""));
        CheckMode(item, "mode", at, causes);
    }

    private static void CheckFile(JsonObject file, string at, Causes causes)
    {
        causes.Present(file, "path", at);
        causes.Invalid($"{at}.path", file.TextAt("path") ?? "", Formats.FileInVolume(file.TextAt("path") ?? ""));
        if (file.MapAt("fieldRef") is { } field)
        {
            EnvironmentChecks.CheckField(field, $"{at}.fieldRef", inFile: true, causes);
            if (file["resourceFieldRef"] is JsonObject)
                causes.Invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
        }
        else if (file.MapAt("resourceFieldRef") is { } amount)
        {
            EnvironmentChecks.CheckAmount(amount, $"{at}.resourceFieldRef", inFile: true, causes);
        }
        else
        {
            causes.Required(at, "one of fieldRef and resourceFieldRef is required");
        }
        CheckMode(file, "mode", at, causes);
    }

    private static void CheckProjected(JsonNode? sources, string at, Causes causes)
    {
        var paths = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (source, here) in sources.Numbered($"{at}.sources"))
        {
            foreach (var kind in ((string[])["secret", "configMap"]).Where(k => source[k] is JsonObject))
            {
                causes.Present(source.MapAt(kind)!, "name", $"{here}.{kind}");
                foreach (var (item, path) in source.At(kind, "items").Numbered($"{here}.{kind}.items"))
                {
                    CheckItem(item, path, causes);
                    Once(item.TextAt("path"), source.TextAt(kind, "name") ?? "");
                }
            }
            foreach (var file in source.At("downwardAPI", "items").Objects())
            {
                CheckFile(file, $"{here}.downwardAPI", causes);
                Once(file.TextAt("path"), file.TextAt("path") ?? "");
            }
            if (source.MapAt("serviceAccountToken") is { } token)
                CheckToken(token, $"{here}.serviceAccountToken", at, causes);
            if (source.Count(s => s.Value is JsonObject) > 1)
                causes.Forbidden(here, "may not specify more than 1 volume type per source");
        }

        void Once(string? path, string owner)
        {
            if (!string.IsNullOrEmpty(path) && !paths.Add(path))
                causes.Invalid(at, owner, "conflicting duplicate paths");
        }
    }

    private static void CheckToken(JsonObject token, string at, string volume, Causes causes)
    {
        var seconds = token.NumberAt("expirationSeconds") ?? 3600;
        if (seconds < 600)
            causes.Invalid($"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes");
        if (seconds > 1L << 32)
            causes.Invalid($"{at}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds");
        if (token.TextAt("path") is { Length: > 0 } path)
            causes.Invalid($"{volume}.path", path, Formats.FileInVolume(path));
        else
            causes.Required($"{volume}.path");
    }

    private static void CheckMode(JsonObject source, string name, string at, Causes causes)
    {
        if (source.NumberAt(name) is { } mode and (< 0 or > 511))
            causes.Invalid($"{at}.{name}", mode, Formats.FileMode);
    }
}
