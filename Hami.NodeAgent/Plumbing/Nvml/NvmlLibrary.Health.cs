namespace Hami.NodeAgent.Plumbing.Nvml;

// nvml.h, "Event Handling Methods".
internal sealed unsafe partial class NvmlLibrary
{
    public NvmlEventSet CreateEventSet()
    {
        NvmlEventSet set;
        Check(((delegate* unmanaged<NvmlEventSet*, NvmlResult>)Entry("nvmlEventSetCreate"))(&set), "nvmlEventSetCreate");
        return set;
    }

    public NvmlEventTypes SupportedEvents(NvmlDevice device)
    {
        NvmlEventTypes types;
        Check(((delegate* unmanaged<NvmlDevice, NvmlEventTypes*, NvmlResult>)Entry("nvmlDeviceGetSupportedEventTypes"))(device, &types), "nvmlDeviceGetSupportedEventTypes");
        return types;
    }

    public void Register(NvmlDevice device, NvmlEventTypes types, NvmlEventSet set) =>
        Check(((delegate* unmanaged<NvmlDevice, NvmlEventTypes, NvmlEventSet, NvmlResult>)Entry("nvmlDeviceRegisterEvents"))(device, types, set), "nvmlDeviceRegisterEvents");

    /// <summary>Blocks the thread until something happens; null when nothing did in time.</summary>
    public NvmlEvent? Wait(NvmlEventSet set, TimeSpan atMost)
    {
        NvmlEvent happened;
        var result = ((delegate* unmanaged<NvmlEventSet, NvmlEvent*, uint, NvmlResult>)Entry("nvmlEventSetWait_v2", "nvmlEventSetWait"))(set, &happened, (uint)atMost.TotalMilliseconds);
        if (result is NvmlResult.Timeout)
            return null;
        Check(result, "nvmlEventSetWait");
        return happened;
    }

    public void Free(NvmlEventSet set) => Check(((delegate* unmanaged<NvmlEventSet, NvmlResult>)Entry("nvmlEventSetFree"))(set), "nvmlEventSetFree");
}
