using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Hami.NodeAgent.Plumbing.Nvml;

// The structures of nvml.h, field for field; a test holds their sizes against those of C.

/// <summary>A card, or a MIG device. Good until NVML is shut down.</summary>
internal readonly record struct NvmlDevice(nint Handle);

/// <summary>A GPU instance: a part of a card's memory and compute.</summary>
internal readonly record struct NvmlGpuInstance(nint Handle);

/// <summary>A compute instance: what of a GPU instance programs see as a device.</summary>
internal readonly record struct NvmlComputeInstance(nint Handle);

/// <summary>A set of events that can be waited for.</summary>
internal readonly record struct NvmlEventSet(nint Handle);

/// <summary>In bytes; <c>nvmlMemory_t</c>.</summary>
internal readonly record struct NvmlMemory(ulong Total, ulong Free, ulong Used);

/// <summary>In bytes, used without what the driver keeps for itself; <c>nvmlMemory_v2_t</c>.</summary>
internal readonly record struct NvmlMemoryV2(uint Version, ulong Total, ulong Reserved, ulong Free, ulong Used)
{
    /// <summary>nvml.h, <c>nvmlMemory_v2</c>: the structure's size and its version.</summary>
    public const uint Current = 40 | (2 << 24);
}

/// <summary>Percent of the last sample period in which a kernel ran, and in which memory was read or written; <c>nvmlUtilization_t</c>.</summary>
internal readonly record struct NvmlUtilization(uint Gpu, uint Memory);

/// <summary>A process on a card; memory in bytes, <see cref="ulong.MaxValue"/> when the driver does not say; <c>nvmlProcessInfo_t</c>.</summary>
internal readonly record struct NvmlProcess(uint Pid, ulong UsedBytes, uint GpuInstanceId, uint ComputeInstanceId);

/// <summary>What a process did of late; time in microseconds since 1970, percent of the sample; <c>nvmlProcessUtilizationSample_t</c>.</summary>
internal readonly record struct NvmlProcessSample(uint Pid, ulong TimestampUs, uint Sm, uint Memory, uint Encoder, uint Decoder);

/// <summary>A value by its number, and whether there is one; <c>nvmlFieldValue_t</c>.</summary>
/// <param name="Value">Of an unsigned int the lower half.</param>
internal readonly record struct NvmlFieldValue(uint FieldId, uint ScopeId, long Timestamp, long LatencyUs, uint ValueType, NvmlResult Result, ulong Value)
{
    /// <summary>nvml.h, <c>NVML_FI_DEV_MEMORY_TEMP</c>.</summary>
    public const uint MemoryTemperature = 82;
}

/// <summary>An event of a card; for an XID <see cref="Data"/> is its number, and the instances are <see cref="NoInstance"/> when it is not of one; <c>nvmlEventData_t</c>.</summary>
internal readonly record struct NvmlEvent(NvmlDevice Device, NvmlEventTypes Type, ulong Data, uint GpuInstanceId, uint ComputeInstanceId)
{
    public const uint NoInstance = uint.MaxValue;
}

/// <summary>nvml.h, <c>nvmlEventType*</c>.</summary>
[Flags]
internal enum NvmlEventTypes : ulong
{
    None = 0,
    SingleBitEcc = 1,
    DoubleBitEcc = 2,
    XidCritical = 8,
}

/// <summary>Memory slices that a GPU instance takes; <c>nvmlGpuInstancePlacement_t</c>.</summary>
internal readonly record struct NvmlPlacement(uint Start, uint Size);

/// <summary>A kind of GPU instance of a card; memory in MiB; <c>nvmlGpuInstanceProfileInfo_t</c>.</summary>
internal readonly record struct NvmlGpuInstanceProfile(
    uint Id, uint IsP2PSupported, uint SliceCount, uint InstanceCount, uint MultiprocessorCount, uint CopyEngineCount, uint DecoderCount, uint EncoderCount,
    uint JpegCount, uint OfaCount, ulong MemorySizeMiB);

/// <summary><c>nvmlGpuInstanceInfo_t</c>.</summary>
internal readonly record struct NvmlGpuInstanceInfo(NvmlDevice Device, uint Id, uint ProfileId, NvmlPlacement Placement);

/// <summary>A kind of compute instance of a GPU instance; <c>nvmlComputeInstanceProfileInfo_t</c>.</summary>
internal readonly record struct NvmlComputeInstanceProfile(
    uint Id, uint SliceCount, uint InstanceCount, uint MultiprocessorCount, uint SharedCopyEngineCount, uint SharedDecoderCount, uint SharedEncoderCount,
    uint SharedJpegCount, uint SharedOfaCount);

/// <summary><c>nvmlComputeInstanceInfo_t</c>, second version.</summary>
internal readonly record struct NvmlComputeInstanceInfo(NvmlDevice Device, NvmlGpuInstance GpuInstance, uint Id, uint ProfileId, NvmlPlacement Placement);

/// <summary>What a MIG device has; memory in MiB; <c>nvmlDeviceAttributes_t</c>.</summary>
internal readonly record struct NvmlAttributes(
    uint MultiprocessorCount, uint SharedCopyEngineCount, uint SharedDecoderCount, uint SharedEncoderCount, uint SharedJpegCount, uint SharedOfaCount,
    uint GpuInstanceSliceCount, uint ComputeInstanceSliceCount, ulong MemorySizeMiB);

/// <summary>Where a card sits; <c>nvmlPciInfo_t</c>, third version.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct NvmlPci
{
    private readonly PciText16 legacyBusId;
    private readonly uint domain;
    private readonly uint bus;
    private readonly uint device;
    private readonly uint deviceId;
    private readonly uint subsystemId;
    private readonly PciText32 busId;

    /// <summary>Such as <c>00000000:3B:00.0</c>.</summary>
    public string BusId
    {
        get
        {
            ReadOnlySpan<byte> bytes = busId;
            return Encoding.ASCII.GetString(bytes.IndexOf((byte)0) is >= 0 and var end ? bytes[..end] : bytes);
        }
    }
}

[InlineArray(16)]
internal struct PciText16
{
    private byte first;
}

[InlineArray(32)]
internal struct PciText32
{
    private byte first;
}
