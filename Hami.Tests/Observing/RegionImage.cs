using System.Buffers.Binary;
using System.Text;
using Hami.NodeAgent.Observing;
using static Hami.NodeAgent.Observing.RegionLayout;

namespace Hami.Tests.Observing;

/// <summary>A region as bytes, made by hand.</summary>
internal sealed class RegionImage : IRegionBytes
{
    private readonly RegionLayout layout;

    public RegionImage(RegionKind kind, int extra = 0)
    {
        layout = kind is RegionKind.HamiV0 ? V0 : V1;
        Bytes = new byte[(kind is RegionKind.Ours ? Extension.Bytes : layout.LeastBytes) + extra];
        Put32(0, Magic);
        if (kind is not RegionKind.HamiV0)
            Put32(4, 1);
        if (kind is not RegionKind.Ours)
            return;
        Put64(Extension.At, Extension.Magic);
        Put32(Extension.At + 8, Extension.Version);
        Put32(Extension.At + 12, Extension.SlotBytes);
    }

    public byte[] Bytes { get; }

    public long Length => Bytes.Length;

    public RegionImage Card(int device, string uuid, ulong limit = 0)
    {
        Encoding.UTF8.GetBytes(uuid).CopyTo(Bytes, layout.UuidsAt + (device * UuidBytes));
        Put64(layout.LimitsAt + (device * 8), limit);
        return Cards((ulong)device + 1);
    }

    public RegionImage Cards(ulong count)
    {
        Put64(layout.CountAt, count);
        return this;
    }

    public RegionImage Process(int slot, int hostPid, int status = 1)
    {
        var at = layout.SlotsAt + (slot * layout.SlotBytes);
        Put32(at, 1);
        Put32(at + HostPidAt, hostPid);
        Put32(at + layout.StatusAt, status);
        Put32(Extension.At + Extension.SlotsHighAt, slot + 1);
        return Slots(slot + 1);
    }

    public RegionImage Use(int slot, int device, ulong context = 0, ulong module = 0, ulong buffer = 0, ulong? total = null, ulong busy = 0)
    {
        var at = layout.SlotsAt + (slot * layout.SlotBytes);
        var memory = at + UseAt + (device * layout.UseBytes);
        Put64(memory + ContextAt, context);
        Put64(memory + ModuleAt, module);
        Put64(memory + BufferAt, buffer);
        Put64(memory + TotalAt, total ?? (context + module + buffer));
        Put64(at + layout.UtilizationAt + (device * layout.UtilizationBytes) + MultiprocessorsAt, busy);
        return this;
    }

    public RegionImage Slots(int used)
    {
        Put32(layout.TailAt + SlotsUsedAt, used);
        return this;
    }

    public RegionImage Words(int recent, int @switch = 1, int priority = 1, ulong lastKernel = 0)
    {
        Put32(layout.TailAt + SwitchAt, @switch);
        Put32(layout.TailAt + RecentAt, recent);
        Put32(layout.TailAt + PriorityAt, priority);
        if (layout == V1)
            Put64(layout.TailAt + LastKernelAt, lastKernel);
        return this;
    }

    public int ReadAt(Span<byte> into, long offset)
    {
        var there = Bytes.AsSpan((int)Math.Min(offset, Bytes.Length));
        there = there[..Math.Min(there.Length, into.Length)];
        there.CopyTo(into);
        return there.Length;
    }

    public void Put32(long at, int value)
    {
        if (at + 4 <= Bytes.Length)
            BinaryPrimitives.WriteInt32LittleEndian(Bytes.AsSpan((int)at), value);
    }

    public void Put64(long at, ulong value)
    {
        if (at + 8 <= Bytes.Length)
            BinaryPrimitives.WriteUInt64LittleEndian(Bytes.AsSpan((int)at), value);
    }
}
