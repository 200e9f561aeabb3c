namespace Hami.NodeAgent.Plumbing.Nvml;

// nvml.h, "NvLink Methods" and the topology of PCIe.
internal sealed unsafe partial class NvmlLibrary
{
    /// <summary>NVML_NVLINK_MAX_LINKS.</summary>
    public const int MostLinks = 18;

    /// <summary>How far two cards are apart: 0 on one board, 10 one switch, 20 several, 30 one host bridge, 40 one CPU, 50 across CPUs.</summary>
    public int CommonAncestor(NvmlDevice one, NvmlDevice other)
    {
        int level;
        Check(((delegate* unmanaged<NvmlDevice, NvmlDevice, int*, NvmlResult>)Entry("nvmlDeviceGetTopologyCommonAncestor"))(one, other, &level), "nvmlDeviceGetTopologyCommonAncestor");
        return level;
    }

    public bool LinkIsActive(NvmlDevice device, int link)
    {
        uint active;
        Check(((delegate* unmanaged<NvmlDevice, uint, uint*, NvmlResult>)Entry("nvmlDeviceGetNvLinkState"))(device, (uint)link, &active), "nvmlDeviceGetNvLinkState");
        return active != 0;
    }

    /// <summary>What the link leads to.</summary>
    public NvmlPci LinkRemote(NvmlDevice device, int link)
    {
        NvmlPci pci;
        Check(((delegate* unmanaged<NvmlDevice, uint, NvmlPci*, NvmlResult>)Entry("nvmlDeviceGetNvLinkRemotePciInfo_v2", "nvmlDeviceGetNvLinkRemotePciInfo"))(device, (uint)link, &pci), "nvmlDeviceGetNvLinkRemotePciInfo");
        return pci;
    }

    /// <summary>Does the link lead to an NVSwitch?</summary>
    public bool LinkLeadsToSwitch(NvmlDevice device, int link)
    {
        const uint toSwitch = 2; // NVML_NVLINK_DEVICE_TYPE_SWITCH
        uint type;
        Check(((delegate* unmanaged<NvmlDevice, uint, uint*, NvmlResult>)Entry("nvmlDeviceGetNvLinkRemoteDeviceType"))(device, (uint)link, &type), "nvmlDeviceGetNvLinkRemoteDeviceType");
        return type == toSwitch;
    }
}
