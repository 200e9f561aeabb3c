using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Hami.Api.Archiving;

/// <summary>Brings the names in a folder onto the disk: a file's own flush does not promise its name.</summary>
internal static class Durable
{
    private const int ReadOnly = 0;

    /// <summary>Returns when they are there.</summary>
    /// <exception cref="IOException">It cannot be done.</exception>
    public static void Flush(string folder)
    {
        // .NET opens no folder.
        using var handle = new SafeFileHandle(Open(folder, ReadOnly), ownsHandle: true);
        if (handle.IsInvalid || Fsync(handle) != 0)
            throw new IOException($"The folder {folder} cannot be brought onto the disk: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

#pragma warning disable SYSLIB1054, CA5392, CA2101 // The generated marshalling needs unsafe code for the whole project; .NET's "Ansi" is UTF-8 on Linux.
    [DllImport("libc", EntryPoint = "open", SetLastError = true, CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Open(string path, int flags);

    [DllImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Fsync(SafeFileHandle file);
#pragma warning restore SYSLIB1054, CA5392, CA2101
}
