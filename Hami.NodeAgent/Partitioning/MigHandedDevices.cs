using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Partitioning;

/// <summary>All MIG devices of the node as containers are handed them, whoever made them.</summary>
internal sealed class MigHandedDevices(NvmlSession session, CdiDevices cdi, AgentOptions options)
{
    /// <summary>Whether a UUID is all that a container needs of one.</summary>
    public bool NeedOnlyUuids => options.Handing is { UsesCdi: false, PassDeviceSpecs: false, IdStrategy: DeviceIdStrategy.Uuid };

    /// <summary>Asks NVML, and tells the container runtime where that is told by files.</summary>
    /// <exception cref="MigRefusal">It could not be asked, or the runtime could not be told.</exception>
    public IReadOnlyList<HandedDevice> Look()
    {
        try
        {
            // Each instance has nodes of its own, whose numbers the driver has just drawn.
            var capabilities = MigCapabilities.Read(options.Observing.ProcRoot);
            List<HandedDevice> all = [.. session.Ask(nvml => SeenMigDevices.Look(nvml, options.Sysfs)).Devices.Select(d => new HandedDevice(d.Uuid, d.Index, d.Nodes(capabilities)))];
            cdi.Set(all);
            return all;
        }
        catch (Exception e) when (e is NvmlException or IOException or UnauthorizedAccessException)
        {
            throw new MigRefusal($"The MIG devices of node {options.NodeName} could not be told to its container runtime ({e.Message}); see to its driver and disk, then create the pod again.", cause: e);
        }
    }

    /// <summary>Those of one container, in order.</summary>
    /// <exception cref="MigRefusal">One of them is not there.</exception>
    public IReadOnlyList<HandedDevice> Of(IReadOnlyList<string> uuids)
    {
        if (NeedOnlyUuids)
            return [.. uuids.Select(uuid => new HandedDevice(uuid, uuid, []))];
        var all = Look();
        return [.. uuids.Select(uuid => all.FirstOrDefault(d => d.Uuid == uuid)
            ?? throw new MigRefusal($"Node {options.NodeName} has no MIG device {uuid} any more; create the pod again."))];
    }
}
