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
        return full.StartsWith($"{folder.TrimEnd('/')}/", StringComparison.Ordinal) ? full : throw new SourceException($"the path {path} leads out of its volume");
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
