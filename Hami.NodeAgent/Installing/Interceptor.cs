using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Hami.NodeAgent.Installing;

/// <summary>
/// Puts <c>libvgpu.so</c> on the node under a name made from its content. A library that programs have mapped is never written to: an upgrade
/// is another file beside it, and a container that is started again finds the one it was given.
/// </summary>
internal static partial class Interceptor
{
    private const UnixFileMode ReadAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Installs the library, and the file that has it preloaded, into the node's folder; answers with the library's path there.</summary>
    /// <exception cref="IOException">It cannot be read, or the folder not written.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static string Install(string source, string folder)
    {
        var content = File.ReadAllBytes(source);
        var name = $"libvgpu-{Convert.ToHexStringLower(SHA256.HashData(content))[..16]}.so";
        Directory.CreateDirectory(folder);
        Place(Path.Combine(folder, name), content);
        // What containers see as /etc/ld.so.preload: the library where they see it.
        Place(Path.Combine(folder, "ld.so.preload"), System.Text.Encoding.UTF8.GetBytes(Path.Combine(folder, "libvgpu.so") + "\n"));
        return Path.Combine(folder, name);
    }

    /// <summary>Has a file the name of a library that was installed so?</summary>
    public static bool IsInstalled(string path) => InstalledName().IsMatch(Path.GetFileName(path));

    [GeneratedRegex("^libvgpu-[0-9a-f]{16}[.]so$", RegexOptions.None, 1000)]
    private static partial Regex InstalledName();

    // Whole or not at all, and not even touched where it is there already.
    private static void Place(string path, byte[] content)
    {
        if (File.Exists(path) && content.AsSpan().SequenceEqual(File.ReadAllBytes(path)))
            return;
        var unplaced = $"{path}.{Environment.ProcessId}.new";
        using (var file = new FileStream(unplaced, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write }))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }
        File.SetUnixFileMode(unplaced, ReadAll);
        File.Move(unplaced, path, overwrite: true);
    }
}
