using System.Globalization;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Registering.Health;

/// <summary>Which part of which card a MIG device is: the driver's events name the card and the instances, not the device.</summary>
internal sealed record InstanceIdentity(string CardUuid, uint GpuInstance, uint ComputeInstance)
{
    private const string Legacy = "MIG-GPU-";

    /// <summary>Does the error concern it? One that names no instance concerns all of the card's.</summary>
    public bool IsHitBy(HealthNews.Xid error) => error.Uuid == CardUuid
        && (error.GpuInstance is NvmlEvent.NoInstance || error.GpuInstance == GpuInstance)
        && (error.ComputeInstance is NvmlEvent.NoInstance || error.ComputeInstance == ComputeInstance);

    /// <exception cref="NvmlException">NVML does not know the device, and its UUID does not tell either; the message is NVML's.</exception>
    public static InstanceIdentity Of(string migUuid, NvmlLibrary nvml)
    {
        try
        {
            var device = nvml.ByUuid(migUuid);
            return new(nvml.Uuid(nvml.CardOf(device)), nvml.GpuInstanceId(device), nvml.ComputeInstanceId(device));
        }
        catch (NvmlException) when (Parse(migUuid) is not null)
        {
            return Parse(migUuid)!;
        }
    }

    /// <summary>Reads the form that drivers before R470 used, <c>MIG-GPU-&lt;uuid&gt;/&lt;gpu instance&gt;/&lt;compute instance&gt;</c>; null for any other.</summary>
    public static InstanceIdentity? Parse(string migUuid) =>
        migUuid.StartsWith(Legacy, StringComparison.Ordinal) && migUuid.Split('/') is [var card, var gpu, var compute]
            && uint.TryParse(gpu, NumberStyles.None, CultureInfo.InvariantCulture, out var gpuInstance)
            && uint.TryParse(compute, NumberStyles.None, CultureInfo.InvariantCulture, out var computeInstance)
            ? new(card["MIG-".Length..], gpuInstance, computeInstance)
            : null;
}
