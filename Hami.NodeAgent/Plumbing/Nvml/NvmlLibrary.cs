using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Hami.NodeAgent.Plumbing.Nvml;

/// <summary>NVIDIA's management library of this node, loaded at run time: the newest version of each function that the driver has.</summary>
/// <remarks>
/// By function pointers, not by <c>LibraryImport</c>: a function that an old driver lacks is told by name instead of ending the call with an
/// exception of the loader, and tests can have several libraries in one process. Every call may be made by any thread; each throws
/// <see cref="NvmlException"/> when the driver says no.
/// </remarks>
internal sealed unsafe partial class NvmlLibrary : IDisposable
{
    private readonly nint library;
    private readonly ConcurrentDictionary<string, nint> entries = new(StringComparer.Ordinal);
    private int shut;

    private NvmlLibrary(nint library) => this.library = library;

    /// <param name="path">A path, or the bare name for the loader to find.</param>
    /// <exception cref="NvmlException">It is not there, or the driver is not.</exception>
    public static NvmlLibrary Open(string path = "libnvidia-ml.so.1")
    {
        if (!NativeLibrary.TryLoad(path, out var library))
            throw new NvmlException(path, NvmlResult.LibraryNotFound, "no such library");
        var nvml = new NvmlLibrary(library);
        try
        {
            nvml.Check(((delegate* unmanaged<NvmlResult>)nvml.Entry("nvmlInit_v2", "nvmlInit"))(), "nvmlInit");
            return nvml;
        }
        catch
        {
            NativeLibrary.Free(library);
            throw;
        }
    }

    /// <summary>Shuts NVML down; the library stays loaded, since a thread may be in it.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref shut, 1) == 0 && TryEntry("nvmlShutdown") is not 0 and var shutdown)
            ((delegate* unmanaged<NvmlResult>)shutdown)();
    }

    private nint TryEntry(string name) =>
        entries.GetOrAdd(name, static (n, from) => NativeLibrary.TryGetExport(from, n, out var address) ? address : 0, library);

    private nint Entry(string newest, string? older = null)
    {
        if (TryEntry(newest) is not 0 and var address)
            return address;
        if (older is not null && TryEntry(older) is not 0 and var second)
            return second;
        throw new NvmlException(newest, NvmlResult.FunctionNotFound, "this driver does not have it");
    }

    private void Check(NvmlResult result, string call)
    {
        if (result is not NvmlResult.Success)
            throw new NvmlException(call, result, Words(result));
    }

    private string Words(NvmlResult result) => TryEntry("nvmlErrorString") is not 0 and var words
        ? Marshal.PtrToStringUTF8(((delegate* unmanaged<NvmlResult, nint>)words)(result)) ?? "no words"
        : "no words";

    private delegate NvmlResult Fill(byte* text, uint length);

    private string Text(Fill fill, string call)
    {
        const int most = 96; // NVML_DEVICE_UUID_V2_BUFFER_SIZE, NVML_DEVICE_NAME_V2_BUFFER_SIZE
        var text = stackalloc byte[most];
        Check(fill(text, most), call);
        return Marshal.PtrToStringUTF8((nint)text) ?? "";
    }

    private delegate NvmlResult FillMany<T>(T* into, uint* count)
        where T : unmanaged;

    // How many there are is asked first; between the two questions there may come more.
    private T[] Many<T>(FillMany<T> fill, string call, uint room = 0)
        where T : unmanaged
    {
        for (var attempt = 0; ; attempt++)
        {
            var into = new T[room];
            var count = room;
            NvmlResult result;
            fixed (T* start = into)
                result = fill(start, &count);
            if (result is NvmlResult.InsufficientSize && attempt < 8)
            {
                room = Math.Max(count, room) + 8;
                continue;
            }
            Check(result, call);
            if (count > room)
            {
                room = count;
                continue;
            }
            return into[..(int)count];
        }
    }
}
