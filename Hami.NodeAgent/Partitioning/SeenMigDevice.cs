using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Registering;

namespace Hami.NodeAgent.Partitioning;

/// <summary>A MIG device as NVML tells of it.</summary>
/// <param name="Card">UUID of its card.</param>
/// <param name="Numa">NUMA node of its card; null when unknown.</param>
/// <param name="Place">Position among the MIG devices of its card.</param>
/// <param name="Profile">Such as <c>1g.5gb</c>; with a part of a GPU instance's compute, <c>1c.3g.20gb</c>.</param>
/// <param name="Attributes">What it has of everything.</param>
internal sealed record SeenMigDevice(
    string Uuid, string Card, int CardIndex, int CardMinor, int? Numa, int Place, int GpuInstance, int ComputeInstance, string Profile, NvmlAttributes Attributes)
{
    /// <summary>NVML's index; the colon tells a MIG device from a card.</summary>
    public string Index => $"{CardIndex}:{Place}";

    /// <summary>Whether it has all the compute of its GPU instance.</summary>
    public bool IsWhole => Attributes.GpuInstanceSliceCount == Attributes.ComputeInstanceSliceCount;

    /// <summary>The device nodes that a program needs for it, beside those that all need.</summary>
    public IReadOnlyList<string> Nodes(MigCapabilities capabilities) =>
    [
        $"/dev/nvidia{CardMinor}",
        .. new[] { capabilities.Of(CardMinor, GpuInstance, null), capabilities.Of(CardMinor, GpuInstance, ComputeInstance) }.OfType<string>(),
    ];
}

/// <summary>A card and whether it is in MIG mode.</summary>
internal sealed record SeenMigCard(string Uuid, int Index, bool InMigMode);

/// <summary>The MIG devices of all cards at one look.</summary>
internal sealed record SeenMigDevices(ImmutableArray<SeenMigCard> Cards, ImmutableArray<SeenMigDevice> Devices)
{
    public static readonly SeenMigDevices None = new([], []);

    /// <param name="sysfs">Where the machine's sysfs is.</param>
    public static SeenMigDevices Look(NvmlLibrary nvml, string sysfs)
    {
        var cards = ImmutableArray.CreateBuilder<SeenMigCard>();
        var devices = ImmutableArray.CreateBuilder<SeenMigDevice>();
        for (var index = 0; index < nvml.Count(); index++)
        {
            var device = nvml.ByIndex(index);
            var card = new SeenMigCard(nvml.Uuid(device), index, NvmlMigCards.ModeOf(nvml, device).Current);
            cards.Add(card);
            if (!card.InMigMode)
                continue;
            var minor = nvml.Minor(device);
            var numa = NvmlCards.NumaOf(nvml.Pci(device).BusId, sysfs);
            var profiles = MigProfile.Of(nvml, device);
            foreach (var mig in MigDevice.Of(nvml, device))
            {
                var attributes = nvml.Attributes(mig.Handle);
                var kind = nvml.Of(nvml.GpuInstanceById(device, (uint)mig.GpuInstance)).ProfileId;
                var name = profiles.FirstOrDefault(p => p.Info.Id == kind)?.Name ?? $"{attributes.GpuInstanceSliceCount}g";
                devices.Add(new(
                    mig.Uuid, card.Uuid, index, minor, numa, mig.Place, mig.GpuInstance, mig.ComputeInstance,
                    attributes.ComputeInstanceSliceCount == attributes.GpuInstanceSliceCount ? name : $"{attributes.ComputeInstanceSliceCount}c.{name}", attributes));
            }
        }
        return new(cards.ToImmutable(), devices.ToImmutable());
    }
}
