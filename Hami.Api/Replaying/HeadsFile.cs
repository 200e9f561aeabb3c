using System.Text;

namespace Hami.Api.Replaying;

/// <summary>The file of exported heads: a line of JSON each, only ever appended to.</summary>
internal static class HeadsFile
{
    /// <summary>Appends a head; it is on the disk when this returns.</summary>
    /// <exception cref="IOException">It could not be written.</exception>
    public static void Append(string file, ExportedHead head)
    {
        using var stream = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        // After a line that was cut off, by a full disk or a crash, a new one begins.
        var torn = stream.Length > 0 && stream.Seek(-1, SeekOrigin.End) >= 0 && stream.ReadByte() != '\n';
        stream.Seek(0, SeekOrigin.End);
        stream.Write(Encoding.UTF8.GetBytes($"{(torn ? "\n" : "")}{head.Line()}\n"));
        stream.Flush(flushToDisk: true);
    }

    /// <summary>All heads of a file in their order; null in the place of a line that is none.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static IReadOnlyList<ExportedHead?> Read(string file) =>
        [.. File.ReadLines(file).Where(line => line.Length > 0).Select(ExportedHead.TryParse)];
}
