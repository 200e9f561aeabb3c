using k8s.Models;

namespace Hami.Lab.Kubelet.Volumes;

/// <summary>The folder that stands for one volume; nothing is written beside it.</summary>
internal sealed class VolumeFolder
{
    // The volume sources' default: 0644.
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const int PermissionBits = 0x1FF;

    public VolumeFolder(string path)
    {
        Path = path;
        Directory.CreateDirectory(path);
    }

    public string Path { get; }

    /// <summary>The path inside the folder. Throws <see cref="SourceException"/> when it would lead out of it.</summary>
    public static string Below(string folder, string path)
    {
        var full = System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, path));
        var inside = $"{folder.TrimEnd('/')}/";
        if (!full.StartsWith(inside, StringComparison.Ordinal))
            throw new SourceException($"the path {path} leads out of its volume");
        // A container can make links in its volumes, and the kubelet must not follow them to the machine's files.
        for (var step = full; step.Length > inside.Length; step = System.IO.Path.GetDirectoryName(step)!)
        {
            if (new FileInfo(step) is { LinkTarget: not null } link && link.ResolveLinkTarget(returnFinalTarget: true)?.FullName.StartsWith(inside, StringComparison.Ordinal) is not true)
                throw new SourceException($"the path {path} leads out of its volume by a link");
        }
        return full;
    }

    /// <summary>Writes the chosen entries, all of them when none is chosen.</summary>
    public void Write(ConfigSource source, IList<V1KeyToPath>? items, bool? optional, int? mode)
    {
        if (items is null or { Count: 0 })
        {
            foreach (var (key, value) in source.All(optional is true))
                Write(key, value, mode);
            return;
        }
        foreach (var item in items)
        {
            if (source.Missing is not null && optional is not true)
                throw new SourceException(source.Missing);
            if (source.Entries.TryGetValue(item.Key, out var value))
                Write(item.Path, value, item.Mode ?? mode);
            else if (optional is not true)
                throw new SourceException($"references non-existent {source.Kind.ToLowerInvariant().Replace("configmap", "config")} key: {item.Key}");
        }
    }

    public void Write(string path, byte[] content, int? mode)
    {
        var file = Below(Path, path);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        // What was written read-only cannot be written again.
        File.Delete(file);
        File.WriteAllBytes(file, content);
        File.SetUnixFileMode(file, mode is { } bits ? (UnixFileMode)(bits & PermissionBits) : Readable);
    }
}
