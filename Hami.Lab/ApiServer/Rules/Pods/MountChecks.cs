using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Where a container finds the pod's volumes.</summary>
internal static class MountChecks
{
    public static void Check(JsonObject container, string at, IReadOnlyDictionary<string, JsonObject> volumes, Causes causes)
    {
        var (mounts, devices) = ($"{at}.volumeMounts", container["volumeDevices"].Objects().ToArray());
        var points = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (mount, here) in container["volumeMounts"].Numbered(mounts))
        {
            causes.Present(mount, "name", here);
            var (name, path) = (mount.TextAt("name") ?? "", mount.TextAt("mountPath") ?? "");
            if (!volumes.TryGetValue(name, out var volume))
                causes.NotFound($"{here}.name", name);
            causes.Present(mount, "mountPath", here);
            if (!points.Add(path))
                causes.Invalid($"{here}.mountPath", path, "must be unique");
            if (Array.Exists(devices, d => d.TextAt("name") == name))
                causes.Invalid($"{here}.name", name, "must not already exist in volumeDevices");
            if (Array.Exists(devices, d => d.TextAt("devicePath") == path))
                causes.Invalid($"{here}.mountPath", path, "must not already exist as a path in volumeDevices");
            CheckInside(mount, here, mounts, volume, causes);
            CheckSharing(mount, container, mounts, causes);
        }
    }

    public static void CheckDevices(JsonObject container, string at, IReadOnlyDictionary<string, JsonObject> volumes, Causes causes)
    {
        var (names, paths) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var (device, here) in container["volumeDevices"].Numbered($"{at}.volumeDevices"))
        {
            var (name, path) = (device.TextAt("name") ?? "", device.TextAt("devicePath") ?? "");
            causes.Present(device, "name", here);
            if (!names.Add(name))
                causes.Invalid($"{here}.name", name, "must be unique");
            if (!volumes.TryGetValue(name, out var volume))
                causes.NotFound($"{here}.name", name);
            else if (volume["persistentVolumeClaim"] is null && volume["ephemeral"] is null)
                causes.Invalid($"{here}.name", name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
            causes.Present(device, "devicePath", here);
            if (!paths.Add(path))
                causes.Invalid($"{here}.devicePath", path, "must be unique");
            if (Formats.PathWithoutSteps(path).Any())
                causes.Invalid($"{here}.devicePath", path, "can not contain backsteps ('..')");
            foreach (var mount in container["volumeMounts"].Objects())
            {
                if (mount.TextAt("name") == name)
                    causes.Invalid($"{here}.name", name, "must not already exist in volumeMounts");
                if (mount.TextAt("mountPath") == path)
                    causes.Invalid($"{here}.devicePath", path, "must not already exist as a path in volumeMounts");
            }
        }
    }

    // These paths lack the mount's number in a real server's words too.
    private static void CheckInside(JsonObject mount, string at, string mounts, JsonObject? volume, Causes causes)
    {
        var (plain, expanded) = (mount.TextAt("subPath") ?? "", mount.TextAt("subPathExpr") ?? "");
        foreach (var (field, path) in new[] { ("subPath", plain), ("subPathExpr", expanded) })
        {
            if (path.Length > 0 && volume?["image"] is JsonObject)
                causes.Invalid($"{at}.{field}", path, "not allowed in image volume sources");
        }
        if (plain.Length > 0)
            causes.Invalid($"{mounts}.subPath", plain, Formats.PathBelow(plain));
        if (expanded.Length == 0)
            return;
        if (plain.Length > 0)
            causes.Invalid($"{at}.subPathExpr", expanded, "subPathExpr and subPath are mutually exclusive");
        causes.Invalid($"{mounts}.subPathExpr", expanded, Formats.PathBelow(expanded));
    }

    private static void CheckSharing(JsonObject mount, JsonObject container, string mounts, Causes causes)
    {
        var shared = mount.TextAt("mountPropagation");
        causes.OneOf(mount, "mountPropagation", mounts, "Bidirectional", "HostToContainer", "None");
        if (shared is "Bidirectional" && !container.FlagAt("securityContext", "privileged"))
            causes.Forbidden($"{mounts}.mountPropagation", "Bidirectional mount propagation is available only to privileged containers");
        causes.OneOf(mount, "recursiveReadOnly", mounts, "Disabled", "Enabled", "IfPossible");
        if (mount.TextAt("recursiveReadOnly") is not ("Enabled" or "IfPossible"))
            return;
        if (!mount.FlagAt("readOnly"))
            causes.Forbidden($"{mounts}.recursiveReadOnly", "may only be specified when readOnly is true");
        if (shared is not (null or "None"))
            causes.Forbidden($"{mounts}.recursiveReadOnly", "may only be specified when mountPropagation is None or not specified");
    }
}
