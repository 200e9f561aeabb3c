using Hami.NodeAgent.Plumbing;
using Microsoft.Win32.SafeHandles;
using static Hami.NodeAgent.Observing.RegionLayout;

namespace Hami.NodeAgent.Observing;

/// <summary>A region, open; never mapped: whoever cuts off a mapped file ends the process that looks at it.</summary>
internal sealed class RegionFile : IRegionBytes, IDisposable
{
    private readonly SafeFileHandle file;

    private RegionFile(SafeFileHandle file, long length) => (this.file, Length) = (file, length);

    public long Length { get; }

    /// <summary>Opens the file of that name in a directory that a container may write to; null when there is none.</summary>
    /// <exception cref="IOException">It is a link, no plain file, or cannot be opened.</exception>
    public static RegionFile? Open(SafeFileHandle directory, string name, bool writing)
    {
        var opened = Posix.OpenFile(directory, name, writing);
        if (opened is null)
            return null;
        try
        {
            var facts = Posix.Facts(opened);
            // Another name elsewhere would let a container have us write there.
            return facts is { IsRegular: true, Links: 1 } ? new(opened, facts.Length) : throw new IOException($"{name} is no plain file of its own");
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    public int ReadAt(Span<byte> into, long offset) => RandomAccess.Read(file, into, offset);

    /// <summary>Whether the process that took a place of ours is alive, see Hami.Interceptor/library/slots.c.</summary>
    public bool IsTaken(int slot) => Posix.IsLocked(file, Extension.At + Extension.SlotsAt + ((long)slot * Extension.SlotBytes));

    /// <summary>Writes a word if it still says what it said when it was read; false when somebody wrote it since.</summary>
    public bool Exchange(long offset, int expected, int word)
    {
        Span<byte> there = stackalloc byte[4];
        if (ReadAt(there, offset) != there.Length || BitConverter.ToInt32(there) != expected)
            return false;
        BitConverter.TryWriteBytes(there, word);
        RandomAccess.Write(file, there, offset);
        return true;
    }

    public void Dispose() => file.Dispose();
}
