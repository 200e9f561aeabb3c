using System.Buffers.Binary;
using static Hami.NodeAgent.Observing.RegionLayout;

namespace Hami.NodeAgent.Observing;

/// <summary>Bytes that are read where one likes: a file, or what a test made up.</summary>
internal interface IRegionBytes
{
    long Length { get; }

    /// <summary>Returns how many there were.</summary>
    int ReadAt(Span<byte> into, long offset);
}

/// <summary>A process that has a place in a region, as it says itself.</summary>
/// <param name="HostPid">Its pid on the node; 0 when it does not know.</param>
internal readonly record struct RegionProcess(int Slot, int HostPid);

/// <summary>What all living processes of a container together have of one card, as they say themselves.</summary>
internal struct RegionUse
{
    public ulong LimitBytes, ContextBytes, ModuleBytes, BufferBytes, TotalBytes;
    public int Busy;
}

/// <summary>Whose library wrote a region.</summary>
internal enum RegionKind
{
    HamiV0,
    HamiV1,
    Ours,
}

/// <summary>
/// What a region says, read into the same memory again and again. All of it may be written by the container: whatever stands there, a reading
/// ends soon, has sums that do not overflow, and says nothing of other containers.
/// </summary>
internal sealed class RegionReading
{
    // As in the library: more than any card has, so that a thousand of them can be added up.
    private const ulong MostPlausible = 1UL << 48;
    private const int SlotsAtOnce = 16;

    private readonly byte[] head = new byte[V1.SlotsAt];
    private readonly byte[] slots = new byte[SlotsAtOnce * V1.SlotBytes];
    private readonly byte[] small = new byte[Math.Max(V1.TailBytes, Extension.HeadBytes)];
    private readonly RegionUse[] uses = new RegionUse[MostDevices];
    private readonly List<RegionProcess> processes = [];
    private RegionLayout layout = V1;

    public RegionKind Kind { get; private set; }

    public int Devices { get; private set; }

    public int UtilizationSwitch { get; private set; }

    public int RecentKernel { get; private set; }

    public int Priority { get; private set; }

    /// <summary>Seconds since 1970; 0 before there was one.</summary>
    public long LastKernelSeconds { get; private set; }

    /// <summary>Those that live.</summary>
    public IReadOnlyList<RegionProcess> Processes => processes;

    public RegionLayout Layout => layout;

    public ref readonly RegionUse Use(int device) => ref uses[device];

    /// <summary>The card's name as it stands there, up to the first NUL; empty where there is none.</summary>
    public ReadOnlySpan<byte> Uuid(int device)
    {
        ReadOnlySpan<byte> field = head.AsSpan(layout.UuidsAt + (device * UuidBytes), UuidBytes);
        return field.IndexOf((byte)0) is >= 0 and var end ? field[..end] : field;
    }

    /// <summary>Reads what is used of a region.</summary>
    /// <param name="lives">Whether a process that has a place there is still alive.</param>
    public RegionState Read(IRegionBytes bytes, Func<RegionProcess, bool> lives)
    {
        var state = ReadHead(bytes, out var slotsUsed);
        if (state is not RegionState.Usable)
            return state;
        processes.Clear();
        for (var device = 0; device < MostDevices; device++)
            uses[device] = new() { LimitBytes = device < Devices ? U64(head, layout.LimitsAt + (device * 8)) : 0 };
        for (var first = 0; first < slotsUsed; first += SlotsAtOnce)
        {
            var some = slots.AsSpan(0, Math.Min(SlotsAtOnce, slotsUsed - first) * layout.SlotBytes);
            if (!Fill(bytes, some, layout.SlotsAt + ((long)first * layout.SlotBytes)))
                return RegionState.Short;
            for (var i = 0; i * layout.SlotBytes < some.Length; i++)
                Add(some.Slice(i * layout.SlotBytes, layout.SlotBytes), first + i, lives);
        }
        return RegionState.Usable;
    }

    /// <summary>Reads only what priorities need: whose region it is, the words of the tail.</summary>
    public RegionState ReadWords(IRegionBytes bytes) => ReadHead(bytes, out _);

    private RegionState ReadHead(IRegionBytes bytes, out int slotsUsed)
    {
        slotsUsed = 0;
        var length = bytes.Length;
        if (length == 0)
            return RegionState.NotReady;
        if (length < V0.LeastBytes || length > MostBytes)
            return RegionState.WrongSize;
        var isV1 = length >= V1.LeastBytes;
        layout = isV1 ? V1 : V0;
        var start = head.AsSpan(0, layout.SlotsAt);
        if (!Fill(bytes, start, 0))
            return RegionState.Short;
        switch (I32(start, 0))
        {
            case 0:
                return RegionState.NotReady;
            case not Magic:
                return RegionState.Foreign;
            default:
                // In the older format that word is another.
                if (isV1 && I32(start, 4) != 1)
                    return RegionState.Foreign;
                break;
        }
        Devices = (int)Math.Min(U64(start, layout.CountAt), MostDevices);
        var tail = small.AsSpan(0, layout.TailBytes);
        if (!Fill(bytes, tail, layout.TailAt))
            return RegionState.Short;
        slotsUsed = Math.Clamp(I32(tail, SlotsUsedAt), 0, MostSlots);
        UtilizationSwitch = I32(tail, SwitchAt);
        RecentKernel = I32(tail, RecentAt);
        Priority = I32(tail, PriorityAt);
        LastKernelSeconds = isV1 ? (long)Math.Min(U64(tail, LastKernelAt), long.MaxValue) : 0;
        Kind = isV1 ? RegionKind.HamiV1 : RegionKind.HamiV0;
        return length == Extension.Bytes ? ReadExtension(bytes, ref slotsUsed) : RegionState.Usable;
    }

    private RegionState ReadExtension(IRegionBytes bytes, ref int slotsUsed)
    {
        var extension = small.AsSpan(0, Extension.HeadBytes);
        if (!Fill(bytes, extension, Extension.At))
            return RegionState.Short;
        if (U64(extension, 0) != Extension.Magic || I32(extension, 8) != Extension.Version || I32(extension, 12) != Extension.SlotBytes)
            return RegionState.Usable; // HAMi's, in a file that we made for it
        Kind = RegionKind.Ours;
        slotsUsed = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(extension[Extension.SlotsHighAt..]), MostSlots);
        return RegionState.Usable;
    }

    private void Add(ReadOnlySpan<byte> slot, int index, Func<RegionProcess, bool> lives)
    {
        if (I32(slot, layout.StatusAt) == 0)
            return;
        var process = new RegionProcess(index, Math.Max(I32(slot, HostPidAt), 0));
        if (!lives(process))
            return;
        processes.Add(process);
        for (var device = 0; device < Devices; device++)
        {
            ref var use = ref uses[device];
            var memory = slot.Slice(UseAt + (device * layout.UseBytes), layout.UseBytes);
            use.ContextBytes += Plausible(memory, ContextAt);
            use.ModuleBytes += Plausible(memory, ModuleAt);
            use.BufferBytes += Plausible(memory, BufferAt);
            use.TotalBytes += Plausible(memory, TotalAt);
            use.Busy = (int)Math.Min((ulong)use.Busy + Math.Min(U64(slot, layout.UtilizationAt + (device * layout.UtilizationBytes) + MultiprocessorsAt), 100), 100);
        }
    }

    private static bool Fill(IRegionBytes bytes, Span<byte> into, long offset)
    {
        for (int read; into.Length > 0; into = into[read..], offset += read)
            if ((read = bytes.ReadAt(into, offset)) <= 0)
                return false;
        return true;
    }

    private static ulong Plausible(ReadOnlySpan<byte> memory, int at) => Math.Min(U64(memory, at), MostPlausible);

    private static int I32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]);

    private static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);
}

/// <summary>What became of a reading.</summary>
internal enum RegionState
{
    Usable,

    /// <summary>No program of the container has written there yet.</summary>
    NotReady,
    WrongSize,

    /// <summary>Another magic, or a version that is not known.</summary>
    Foreign,

    /// <summary>It was cut off while it was read.</summary>
    Short,
}
