using System.Collections.Immutable;
using System.Globalization;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Registering;

/// <summary>Asks NVML and sysfs what cards there are.</summary>
internal static class NvmlCards
{
    // NVML_GPU_INSTANCE_PROFILE_*, by the slices of the instance.
    private static readonly (int Slices, uint Profile)[] SliceProfiles = [(1, 0), (2, 1), (3, 2), (4, 3), (6, 6), (7, 4), (8, 5)];

    /// <exception cref="NvmlException">The driver is not there; a single card that does not answer is told as such.</exception>
    public static SeenCards Look(NvmlLibrary nvml, string sysfs)
    {
        var cards = ImmutableArray.CreateBuilder<SeenCard>();
        var mute = ImmutableArray.CreateBuilder<MuteCard>();
        NvmlException? last = null;
        var count = nvml.Count();
        for (var index = 0; index < count; index++)
        {
            string? uuid = null;
            try
            {
                var device = nvml.ByIndex(index);
                uuid = nvml.Uuid(device);
                cards.Add(Card(nvml, device, index, uuid, sysfs));
            }
            catch (NvmlException e) when (e.Result is not (NvmlResult.Uninitialized or NvmlResult.DriverNotLoaded))
            {
                mute.Add(new(index, uuid, e.Message));
                last = e;
            }
        }
        // Not one card: it is the driver that went away.
        if (cards.Count == 0 && last is { DriverIsGone: true })
            throw last;
        return new(cards.ToImmutable(), mute.ToImmutable());
    }

    /// <summary>The NUMA node of a PCI device; null when the machine does not say.</summary>
    /// <param name="busId">As NVML has it, such as <c>00000000:3B:00.0</c>.</param>
    public static int? NumaOf(string busId, string sysfs)
    {
        if (PciAddress.Of(busId) is not { } address)
            return null;
        try
        {
            var text = File.ReadAllText(Path.Combine(sysfs, "bus", "pci", "devices", address, "numa_node"));
            return int.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var numa) && numa >= 0 ? numa : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static SeenCard Card(NvmlLibrary nvml, NvmlDevice device, int index, string uuid, string sysfs)
    {
        var inMigMode = Known(() => nvml.MigMode(device).Current, otherwise: false);
        return new(
            index, uuid, nvml.Name(device),
            // A driver in another's user space (WSL) has no device nodes of its own.
            Known(() => nvml.Minor(device), index),
            Known<ulong?>(() => nvml.Memory(device).Total, null),
            Known(() => NumaOf(nvml.Pci(device).BusId, sysfs), null),
            inMigMode)
        {
            Profiles = inMigMode ? [.. SliceProfiles.SelectMany(p => Profile(nvml, device, p.Slices, p.Profile))] : [],
        };
    }

    private static IEnumerable<SeenProfile> Profile(NvmlLibrary nvml, NvmlDevice device, int slices, uint profile)
    {
        try
        {
            var found = nvml.GpuInstanceProfile(device, profile);
            return
            [
                new(slices, (int)found.MultiprocessorCount, (long)found.MemorySizeMiB,
                    [.. nvml.PossiblePlacements(device, found.Id).Select(p => ((int)p.Start, (int)p.Size))]),
            ];
        }
        catch (NvmlException e) when (e.Result is NvmlResult.NotSupported or NvmlResult.InvalidArgument or NvmlResult.FunctionNotFound)
        {
            // No card has them all.
            return [];
        }
    }

    private static T Known<T>(Func<T> ask, T otherwise)
    {
        try
        {
            return ask();
        }
        catch (NvmlException e) when (e.Result is NvmlResult.NotSupported or NvmlResult.FunctionNotFound)
        {
            return otherwise;
        }
    }
}
