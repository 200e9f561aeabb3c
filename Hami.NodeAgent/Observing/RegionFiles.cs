using Hami.NodeAgent.Plumbing;
using Microsoft.Win32.SafeHandles;

namespace Hami.NodeAgent.Observing;

/// <summary>Finds containers' regions on the disk of the node.</summary>
internal sealed class RegionFiles(ContainerDirectories directories)
{
    // Of ours, and of HAMi's plugin, whose containers may be older than this agent.
    private const string Ours = "region", Suffix = ".cache", Library = "libvgpu.so";

    // HAMi's: with a third file of these kinds in it, a directory is not what was made for the container.
    private const int MostOfKind = 2;

    // A container may fill its directory.
    private const int MostEntries = 256;

    /// <summary>The region of a container; null when there is none yet.</summary>
    /// <exception cref="IOException">What is there is not one; the message says why.</exception>
    public RegionFile? Open(string podUid, string container, bool writing)
    {
        using var directory = Posix.OpenDirectory(directories.Of(podUid, container));
        return directory is null ? null : RegionFile.Open(directory, HamisName(directory) ?? Ours, writing);
    }

    private static string? HamisName(SafeFileHandle directory)
    {
        string? first = null;
        var (ofKind, entries) = (0, 0);
        foreach (var path in Directory.EnumerateFileSystemEntries($"/proc/self/fd/{directory.DangerousGetHandle()}"))
        {
            if (++entries > MostEntries)
                throw new IOException($"its directory has more than {MostEntries} entries");
            var name = Path.GetFileName(path);
            var isLibrary = name.Contains(Library, StringComparison.Ordinal);
            var isRegion = name.EndsWith(Suffix, StringComparison.Ordinal);
            if ((isLibrary || isRegion) && ++ofKind > MostOfKind)
                throw new IOException($"its directory has more than {MostOfKind} files named like a region or the library");
            if (isRegion && !isLibrary && (first is null || string.CompareOrdinal(name, first) < 0))
                first = name;
        }
        return first;
    }
}
