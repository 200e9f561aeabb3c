using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Hami.NodeAgent.Plumbing;

/// <summary>
/// Removes a folder in which a container may still write. .NET's own way goes by paths: a folder exchanged for a link between two looks would have
/// root empty what the link points to. This one holds the folders open and never follows anything.
/// </summary>
internal static partial class FolderTree
{
    private const int AtOnce = 4096, MostPasses = 1000;
    private const int NameAt = 19; // of d_name in struct dirent, on 64 bits
    private const int RemoveFolder = 0x200; // unlinkat(2), AT_REMOVEDIR
    private const int NoSuchFile = 2;

    /// <summary>Removes a folder with all that is in it, whatever its depth; a link of that name is removed itself.</summary>
    /// <exception cref="IOException">Something could not be removed; what could be is gone.</exception>
    public static void Remove(string path)
    {
        using var parent = Posix.OpenDirectory(Path.GetDirectoryName(path)!);
        if (parent is null)
            return;
        var name = Text(Path.GetFileName(path));
        if (Unlink(parent, name, 0) == 0 || Marshal.GetLastPInvokeError() == NoSuchFile)
            return;
        using (var folder = Posix.OpenDirectory(parent, Path.GetFileName(path)))
            if (folder is not null)
                Empty(folder);
        if (Unlink(parent, name, RemoveFolder) != 0 && Marshal.GetLastPInvokeError() is not NoSuchFile and var error)
            throw new IOException($"{path}: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    // Folders in folders are moved up one by one, so that no depth needs more than three of them open.
    private static void Empty(SafeFileHandle folder)
    {
        var moved = 0;
        for (var pass = 0; pass < MostPasses; pass++)
        {
            var entries = Entries(folder);
            if (entries.Count == 0)
                return;
            var done = 0;
            foreach (var entry in entries)
                if (Gone(folder, entry) || Flatten(folder, entry, ref moved))
                    done++;
            if (done == 0)
                throw new IOException($"{Encoding.UTF8.GetString(entries[0].AsSpan().TrimEnd((byte)0))}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
        throw new IOException("there is always more in it");
    }

    private static bool Gone(SafeFileHandle folder, byte[] entry) => Unlink(folder, entry, 0) == 0 || Unlink(folder, entry, RemoveFolder) == 0;

    private static bool Flatten(SafeFileHandle folder, byte[] entry, ref int moved)
    {
        using var inner = Posix.OpenDirectory(folder, entry);
        if (inner is null)
            return true;
        var done = 0;
        foreach (var child in Entries(inner))
            if (Gone(inner, child) || Rename(inner, child, folder, Text(string.Create(CultureInfo.InvariantCulture, $".hami-{moved++}"))) == 0)
                done++;
        return Gone(folder, entry) || done > 0;
    }

    private static List<byte[]> Entries(SafeFileHandle folder)
    {
        var entries = new List<byte[]>();
        using var again = Posix.OpenDirectory(folder, ".");
        var list = again is null ? 0 : OpenList(Duplicate(again));
        if (list == 0)
            return entries;
        while (entries.Count < AtOnce && ReadList(list) is not 0 and var entry)
        {
            var name = Name(entry + NameAt);
            if (!name.AsSpan().SequenceEqual(".\0"u8) && !name.AsSpan().SequenceEqual("..\0"u8))
                entries.Add(name);
        }
        _ = CloseList(list);
        return entries;
    }

    private static unsafe byte[] Name(nint text)
    {
        var name = MemoryMarshal.CreateReadOnlySpanFromNullTerminated((byte*)text);
        var copy = new byte[name.Length + 1];
        name.CopyTo(copy);
        return copy;
    }

    private static byte[] Text(string name) => Encoding.UTF8.GetBytes(name + "\0");

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unlink(SafeFileHandle folder, byte[] name, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Rename(SafeFileHandle from, byte[] name, SafeFileHandle to, byte[] newName);

    [LibraryImport("libc", EntryPoint = "dup")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Duplicate(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fdopendir")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint OpenList(int file);

    [LibraryImport("libc", EntryPoint = "readdir")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint ReadList(nint list);

    [LibraryImport("libc", EntryPoint = "closedir")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int CloseList(nint list);
}
