using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Partitioning;

/// <summary>A kind of GPU instance that a card offers.</summary>
/// <param name="Number">NVML_GPU_INSTANCE_PROFILE_*.</param>
/// <param name="Name">As NVIDIA's tools call it: <c>3g.20gb</c>.</param>
internal sealed record MigProfile(uint Number, string Name, NvmlGpuInstanceProfile Info)
{
    // nvml.h, NVML_GPU_INSTANCE_PROFILE_COUNT is 17 as of CUDA 13; a newer driver may have more.
    private const uint Most = 24;

    /// <summary>Whole slices without extras: 1, 2, 3, 4, 7, 8 and 6 of them.</summary>
    public bool IsPlain => Number <= 6;

    public static IReadOnlyList<MigProfile> Of(NvmlLibrary nvml, NvmlDevice device)
    {
        var total = nvml.Memory(device).Total;
        var profiles = new List<MigProfile>();
        for (uint number = 0; number < Most; number++)
        {
            try
            {
                var info = nvml.GpuInstanceProfile(device, number);
                profiles.Add(new(number, NameOf(number, info.SliceCount, info.MemorySizeMiB, total), info));
            }
            catch (NvmlException e) when (e.Result is NvmlResult.NotSupported or NvmlResult.InvalidArgument)
            {
                // Not of this card, or not of this driver.
            }
        }
        return profiles;
    }

    /// <summary>The name: the memory is the card's, in eighths rounded up, so that 4864 MiB of 40 GB are called 5gb.</summary>
    public static string NameOf(uint number, uint slices, ulong memoryMiB, ulong cardBytes)
    {
        const double eighths = 8;
        var part = Math.Ceiling(memoryMiB * (double)(1 << 20) / cardBytes * eighths) / eighths;
        var gigabytes = (cardBytes + (1UL << 30) - 1) >> 30;
        return $"{slices}g.{Math.Round(part * gigabytes)}gb{Extras(number)}";
    }

    // nvml.h: REV1 has the media engines, GFX graphics; NO_ME and ALL_ME none and all of the engines.
    private static string Extras(uint number) => number switch
    {
        7 or 8 => "+me",
        10 or 11 or 12 => "+gfx",
        13 or 14 => "-me",
        15 or 16 => "+me.all",
        _ => "",
    };
}

/// <summary>What programs see of an instance as a device.</summary>
/// <param name="Place">Position among those of its card.</param>
internal sealed record MigDevice(NvmlDevice Handle, int Place, int GpuInstance, int ComputeInstance, string Uuid)
{
    /// <summary>All of a card.</summary>
    public static IReadOnlyList<MigDevice> Of(NvmlLibrary nvml, NvmlDevice card)
    {
        var devices = new List<MigDevice>();
        var most = nvml.MostMigDevices(card);
        for (var place = 0; place < most; place++)
        {
            try
            {
                var mig = nvml.MigDevice(card, place);
                devices.Add(new(mig, place, (int)nvml.GpuInstanceId(mig), (int)nvml.ComputeInstanceId(mig), nvml.Uuid(mig)));
            }
            catch (NvmlException e) when (e.Result is NvmlResult.NotFound or NvmlResult.InvalidArgument)
            {
                // Nothing there.
            }
        }
        return devices;
    }
}
