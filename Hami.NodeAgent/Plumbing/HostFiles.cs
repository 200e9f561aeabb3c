using System.Buffers;
using System.Runtime.InteropServices;

namespace Hami.NodeAgent.Plumbing;

/// <summary>What we do with files and folders that containers see. A link in the place of a file is never followed, it is replaced.</summary>
internal interface IHostFiles
{
    /// <summary>Null when there is no such file, or something else than a file.</summary>
    /// <param name="last">Of a long file that is read often, what was read last: given again where the file still says it.</param>
    byte[]? Read(string path, byte[]? last = null);

    /// <summary>Its length; null when it is no regular file.</summary>
    long? Length(string path);

    /// <summary>Is it a folder in which others than its owner may write?</summary>
    bool IsWritable(string folder);

    /// <summary>Makes the folder where it is missing; its mode is this afterwards, whatever the umask.</summary>
    void MakeFolder(string path, UnixFileMode mode);

    /// <summary>Puts a file there, whole or not at all unless the node itself crashes, in place of whatever has that name.</summary>
    void Put(string path, ReadOnlySpan<byte> content, UnixFileMode mode);

    /// <summary>Puts a file full of zeroes there, its room on the disk taken.</summary>
    void PutZeroes(string path, long length, UnixFileMode mode);

    /// <summary>Gives a file a second name; where the file system cannot, a copy.</summary>
    void Link(string file, string path);

    /// <summary>Names and last changes of the folders in a folder; none when it is missing.</summary>
    IReadOnlyList<(string Name, DateTimeOffset Changed)> Folders(string path);

    /// <summary>Removes the folder with all that is in it.</summary>
    void Remove(string path);
}

/// <summary>The node's own.</summary>
/// <param name="takesRoom">Whether room on the disk is really taken.</param>
internal sealed partial class HostFiles(bool takesRoom = true) : IHostFiles
{
    public byte[]? Read(string path, byte[]? last = null)
    {
        if (Length(path) is not { } length)
            return null;
        try
        {
            return last?.Length == length && Says(path, last) ? last : File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    public long? Length(string path)
    {
        // The attributes are those of a link, where there is one.
        var file = new FileInfo(path);
        return file.Exists && file.Attributes is FileAttributes.Normal or FileAttributes.ReadOnly ? file.Length : null;
    }

    public bool IsWritable(string folder) =>
        Directory.Exists(folder) && (File.GetUnixFileMode(folder) & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) != UnixFileMode.None;

    public void MakeFolder(string path, UnixFileMode mode)
    {
        // As it mostly is, seen by one look.
        var folder = new DirectoryInfo(path);
        if (folder.Exists && !folder.Attributes.HasFlag(FileAttributes.ReparsePoint) && folder.UnixFileMode == mode)
            return;
        if (new FileInfo(path) is { LinkTarget: not null } or { Exists: true })
            File.Delete(path);
        Directory.CreateDirectory(path);
        if (File.GetUnixFileMode(path) != mode)
            File.SetUnixFileMode(path, mode);
    }

    public void Put(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        using var file = Begin(path, 0, out var unplaced);
        file.Write(content);
        File.SetUnixFileMode(file.SafeFileHandle, mode);
        file.Close();
        File.Move(unplaced, path, overwrite: true);
    }

    public void PutZeroes(string path, long length, UnixFileMode mode)
    {
        // A full disk must show here: later it would be a SIGBUS in the container.
        using var file = Begin(path, takesRoom ? length : 0, out var unplaced);
        file.SetLength(length);
        File.SetUnixFileMode(file.SafeFileHandle, mode);
        file.Close();
        File.Move(unplaced, path, overwrite: true);
    }

    public void Link(string file, string path)
    {
        var unplaced = Unplaced(path);
        File.Delete(unplaced);
        if (LinkFile(file, unplaced) != 0)
            File.Copy(file, unplaced);
        File.Move(unplaced, path, overwrite: true);
    }

    public IReadOnlyList<(string Name, DateTimeOffset Changed)> Folders(string path) => Directory.Exists(path)
        ? [.. new DirectoryInfo(path).EnumerateDirectories().Select(d => (d.Name, new DateTimeOffset(d.LastWriteTimeUtc)))]
        : [];

    public void Remove(string path) => FolderTree.Remove(path);

    private static bool Says(string path, byte[] last)
    {
        using var file = File.OpenHandle(path);
        var chunk = ArrayPool<byte>.Shared.Rent(16 * 1024);
        try
        {
            var same = 0;
            while (RandomAccess.Read(file, chunk, same) is > 0 and var read)
            {
                if (!last.AsSpan(same).StartsWith(chunk.AsSpan(0, read)))
                    return false;
                same += read;
            }
            return same == last.Length;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    // A name that an agent killed before it was done has left behind is taken over.
    private static FileStream Begin(string path, long length, out string unplaced)
    {
        unplaced = Unplaced(path);
        File.Delete(unplaced);
        return new(unplaced, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, PreallocationSize = length });
    }

    // No name that a reader of the folder could take for the file.
    private static string Unplaced(string path) => Path.Combine(Path.GetDirectoryName(path)!, $".new-{Path.GetFileNameWithoutExtension(path)}");

    // link(2); a symbolic link is not followed.
    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int LinkFile(string file, string path);
}
