namespace Hami.NodeAgent.Plumbing.Nvml;

// nvml.h, "Device Queries": what cards are doing.
internal sealed unsafe partial class NvmlLibrary
{
    public NvmlUtilization Utilization(NvmlDevice device)
    {
        NvmlUtilization utilization;
        Check(((delegate* unmanaged<NvmlDevice, NvmlUtilization*, NvmlResult>)Entry("nvmlDeviceGetUtilizationRates"))(device, &utilization), "nvmlDeviceGetUtilizationRates");
        return utilization;
    }

    /// <summary>Degrees Celsius.</summary>
    public uint Temperature(NvmlDevice device)
    {
        const uint gpu = 0; // NVML_TEMPERATURE_GPU
        uint degrees;
        Check(((delegate* unmanaged<NvmlDevice, uint, uint*, NvmlResult>)Entry("nvmlDeviceGetTemperature"))(device, gpu, &degrees), "nvmlDeviceGetTemperature");
        return degrees;
    }

    /// <summary>Degrees Celsius.</summary>
    public uint MemoryTemperature(NvmlDevice device)
    {
        var value = new NvmlFieldValue { FieldId = NvmlFieldValue.MemoryTemperature };
        Check(((delegate* unmanaged<NvmlDevice, int, NvmlFieldValue*, NvmlResult>)Entry("nvmlDeviceGetFieldValues"))(device, 1, &value), "nvmlDeviceGetFieldValues");
        Check(value.Result, "nvmlDeviceGetFieldValues");
        return (uint)value.Value;
    }

    /// <summary>Percent of the most that the fan is meant to turn; more where it turns faster.</summary>
    public uint FanPercent(NvmlDevice device) => Number(device, "nvmlDeviceGetFanSpeed");

    /// <summary>Milliwatt.</summary>
    public uint PowerMilliwatt(NvmlDevice device) => Number(device, "nvmlDeviceGetPowerUsage");

    /// <summary>Millijoule since the driver was loaded.</summary>
    public ulong EnergyMillijoule(NvmlDevice device)
    {
        ulong energy;
        Check(((delegate* unmanaged<NvmlDevice, ulong*, NvmlResult>)Entry("nvmlDeviceGetTotalEnergyConsumption"))(device, &energy), "nvmlDeviceGetTotalEnergyConsumption");
        return energy;
    }

    /// <summary>Processes with a CUDA context; pids as the node knows them.</summary>
    public NvmlProcess[] ComputeProcesses(NvmlDevice device) => Processes(device, "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses_v3");

    public NvmlProcess[] GraphicsProcesses(NvmlDevice device) => Processes(device, "nvmlDeviceGetGraphicsRunningProcesses_v2", "nvmlDeviceGetGraphicsRunningProcesses_v3");

    /// <summary>What each process did since then (microseconds since 1970); nothing where the driver has no newer sample.</summary>
    public NvmlProcessSample[] ProcessSamples(NvmlDevice device, ulong sinceUs)
    {
        try
        {
            return Many<NvmlProcessSample>(
                (into, count) => ((delegate* unmanaged<NvmlDevice, NvmlProcessSample*, uint*, ulong, NvmlResult>)Entry("nvmlDeviceGetProcessUtilization"))(device, into, count, sinceUs),
                "nvmlDeviceGetProcessUtilization", room: 64);
        }
        catch (NvmlException e) when (e.Result is NvmlResult.NotFound)
        {
            return [];
        }
    }

    // The second version first: drivers 535.43 to 535.86 write longer entries in the third, which else are the same.
    private NvmlProcess[] Processes(NvmlDevice device, string newest, string older) => Many<NvmlProcess>(
        (into, count) => ((delegate* unmanaged<NvmlDevice, uint*, NvmlProcess*, NvmlResult>)Entry(newest, older))(device, count, into), newest, room: 32);
}
