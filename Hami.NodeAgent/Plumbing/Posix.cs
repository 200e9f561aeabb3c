using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Hami.NodeAgent.Plumbing;

/// <summary>Files as openat(2) and its kin give them, where .NET would follow a link or wait for the other end of a pipe.</summary>
internal static partial class Posix
{
    private const int ReadOnly = 0, ReadWrite = 2, NonBlock = 0x800, CloseOnExec = 0x80000;
    private const int HasNoSuchFile = 2, IsALink = 40; // errno(3)
    private const int EmptyPath = 0x1000, BasicStats = 0x7ff; // statx(2)
    private const ushort KindMask = 0xf000, RegularFile = 0x8000; // inode(7)

    private const int AskForLock = 36; // fcntl(2), F_OFD_GETLK
    private const short WriteLock = 1, NoLock = 2;

    private const long OpenProcess = 434, SignalProcess = 424; // pidfd_open(2), pidfd_send_signal(2), since Linux 5.3, the same on all processors
    private const int KillSignal = 9;

    // These differ from one processor to the other: fcntl.h of x86 and of ARM.
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64;
    private static readonly int OnlyDirectory = IsArm ? 0x4000 : 0x10000;
    private static readonly int NoFollow = IsArm ? 0x8000 : 0x20000;

    /// <summary>The directory itself, by a path that only root can change; null when there is none.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static SafeFileHandle? OpenDirectory(string path) => Handle(Open(path, ReadOnly | OnlyDirectory | CloseOnExec, 0), path);

    /// <summary>A directory of that name in another, and no link to one; null when there is none.</summary>
    public static SafeFileHandle? OpenDirectory(SafeFileHandle parent, string name) => Handle(OpenAt(parent, name, ReadOnly | OnlyDirectory | NoFollow | CloseOnExec, 0), name);

    /// <summary>The same by a name in bytes with a NUL behind it, as another program may have chosen it.</summary>
    public static SafeFileHandle? OpenDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name) =>
        Handle(OpenAt(parent, name, ReadOnly | OnlyDirectory | NoFollow | CloseOnExec, 0), "a folder in it");

    /// <summary>A file of that name in a directory, and no link to one; null when there is none. It never waits, whatever the name stands for.</summary>
    public static SafeFileHandle? OpenFile(SafeFileHandle parent, string name, bool writing) =>
        Handle(OpenAt(parent, name, (writing ? ReadWrite : ReadOnly) | NonBlock | NoFollow | CloseOnExec, 0), name);

    /// <summary>What an open file is.</summary>
    public static FileFacts Facts(SafeFileHandle file)
    {
        Span<byte> found = stackalloc byte[256]; // struct statx, the same on all processors
        if (Stat(file, "", EmptyPath, BasicStats, found) != 0)
            throw Failure("statx");
        return new(
            (MemoryMarshal.Read<ushort>(found[28..]) & KindMask) == RegularFile, (int)MemoryMarshal.Read<uint>(found[16..]), MemoryMarshal.Read<long>(found[32..]), MemoryMarshal.Read<long>(found[40..]));
    }

    /// <summary>Whether somebody who opened the file otherwise holds a lock on that byte; such a lock ends with the process, in whatever pid namespace.</summary>
    public static bool IsLocked(SafeFileHandle file, long offset)
    {
        var question = new FileLock { Kind = WriteLock, Start = offset, Length = 1 };
        return Control(file, AskForLock, ref question) == 0 && question.Kind != NoLock;
    }

    /// <summary>Ends a process at once, if it is still the one that is meant; false when it is not.</summary>
    /// <param name="isIt">Asked while the pid cannot come to mean another process without our noticing.</param>
    public static bool Kill(int pid, Func<bool> isIt)
    {
        var number = (int)Call(OpenProcess, pid, 0, 0, 0);
        if (number < 0)
            return false;
        using var process = new SafeFileHandle(number, ownsHandle: true);
        return isIt() && Call(SignalProcess, number, KillSignal, 0, 0) == 0;
    }

    private static SafeFileHandle? Handle(int file, string name)
    {
        if (file >= 0)
            return new(file, ownsHandle: true);
        var error = Marshal.GetLastPInvokeError();
        return error == HasNoSuchFile ? null : throw Failure(name, error);
    }

    private static IOException Failure(string what, int? error = null)
    {
        var number = error ?? Marshal.GetLastPInvokeError();
        return new(number is IsALink ? $"{what} is a link" : $"{what}: {Marshal.GetPInvokeErrorMessage(number)}");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int OpenAt(SafeFileHandle parent, string name, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int OpenAt(SafeFileHandle parent, ReadOnlySpan<byte> name, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Control(SafeFileHandle file, int command, ref FileLock question);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial long Call(long number, long first, long second, long third, long fourth);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Stat(SafeFileHandle file, string name, int flags, uint mask, Span<byte> into);

    // struct flock on 64 bits
    [StructLayout(LayoutKind.Sequential)]
    private struct FileLock
    {
        public short Kind, From;
        public long Start, Length;
        public int Pid;
    }
}

/// <summary>What an open file is.</summary>
/// <param name="Links">Names it has.</param>
/// <param name="Inode">Tells it from another of its name.</param>
internal readonly record struct FileFacts(bool IsRegular, int Links, long Inode, long Length);
