namespace Hami.NodeAgent.Plumbing.Nvml;

// nvml.h, "Device Queries": which cards there are and what they are.
internal sealed unsafe partial class NvmlLibrary
{
    public string DriverVersion() => Text((text, length) =>
        ((delegate* unmanaged<byte*, uint, NvmlResult>)Entry("nvmlSystemGetDriverVersion"))(text, length), "nvmlSystemGetDriverVersion");

    public int Count()
    {
        uint count;
        Check(((delegate* unmanaged<uint*, NvmlResult>)Entry("nvmlDeviceGetCount_v2", "nvmlDeviceGetCount"))(&count), "nvmlDeviceGetCount");
        return (int)count;
    }

    public NvmlDevice ByIndex(int index)
    {
        NvmlDevice device;
        Check(((delegate* unmanaged<uint, NvmlDevice*, NvmlResult>)Entry("nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex"))((uint)index, &device), "nvmlDeviceGetHandleByIndex");
        return device;
    }

    public NvmlDevice ByUuid(string uuid)
    {
        NvmlDevice device;
        fixed (byte* text = System.Text.Encoding.UTF8.GetBytes(uuid + "\0"))
            Check(((delegate* unmanaged<byte*, NvmlDevice*, NvmlResult>)Entry("nvmlDeviceGetHandleByUUID"))(text, &device), "nvmlDeviceGetHandleByUUID");
        return device;
    }

    public int Index(NvmlDevice device) => (int)Number(device, "nvmlDeviceGetIndex");

    /// <summary>The number in <c>/dev/nvidia&lt;number&gt;</c>.</summary>
    public int Minor(NvmlDevice device) => (int)Number(device, "nvmlDeviceGetMinorNumber");

    public string Name(NvmlDevice device) => Text(device, "nvmlDeviceGetName");

    public string Uuid(NvmlDevice device) => Text(device, "nvmlDeviceGetUUID");

    /// <summary>As nvidia-smi tells it: without what the driver keeps for itself, where it says how much that is.</summary>
    public NvmlMemory Memory(NvmlDevice device)
    {
        if (TryEntry("nvmlDeviceGetMemoryInfo_v2") is not 0 and var second)
        {
            NvmlMemoryV2 parts = new(NvmlMemoryV2.Current, 0, 0, 0, 0);
            if (((delegate* unmanaged<NvmlDevice, NvmlMemoryV2*, NvmlResult>)second)(device, &parts) is NvmlResult.Success)
                return new(parts.Total, parts.Free, parts.Used);
        }
        NvmlMemory memory;
        Check(((delegate* unmanaged<NvmlDevice, NvmlMemory*, NvmlResult>)Entry("nvmlDeviceGetMemoryInfo"))(device, &memory), "nvmlDeviceGetMemoryInfo");
        return memory;
    }

    public NvmlPci Pci(NvmlDevice device)
    {
        NvmlPci pci;
        Check(((delegate* unmanaged<NvmlDevice, NvmlPci*, NvmlResult>)Entry("nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2"))(device, &pci), "nvmlDeviceGetPciInfo");
        return pci;
    }

    public (int Major, int Minor) ComputeCapability(NvmlDevice device)
    {
        int major, minor;
        Check(((delegate* unmanaged<NvmlDevice, int*, int*, NvmlResult>)Entry("nvmlDeviceGetCudaComputeCapability"))(device, &major, &minor), "nvmlDeviceGetCudaComputeCapability");
        return (major, minor);
    }

    private uint Number(NvmlDevice device, string call)
    {
        uint number;
        Check(((delegate* unmanaged<NvmlDevice, uint*, NvmlResult>)Entry(call))(device, &number), call);
        return number;
    }

    private string Text(NvmlDevice device, string call) =>
        Text((text, length) => ((delegate* unmanaged<NvmlDevice, byte*, uint, NvmlResult>)Entry(call))(device, text, length), call);
}
