namespace Hami.NodeAgent.Plumbing.Nvml;

// nvml.h, "Multi Instance GPU Management".
internal sealed unsafe partial class NvmlLibrary
{
    /// <summary>NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED.</summary>
    private const uint SharedEngines = 0;

    /// <summary>Whether the card is in MIG mode, and whether it will be after its next reset.</summary>
    /// <exception cref="NvmlException"><see cref="NvmlResult.NotSupported"/> of a card that has no such mode.</exception>
    public (bool Current, bool Pending) MigMode(NvmlDevice device)
    {
        uint current, pending;
        Check(((delegate* unmanaged<NvmlDevice, uint*, uint*, NvmlResult>)Entry("nvmlDeviceGetMigMode"))(device, &current, &pending), "nvmlDeviceGetMigMode");
        return (current == 1, pending == 1);
    }

    /// <summary>Switches the mode; the second answer says whether it is in force already.</summary>
    public NvmlResult SetMigMode(NvmlDevice device, bool enabled)
    {
        NvmlResult activation;
        Check(((delegate* unmanaged<NvmlDevice, uint, NvmlResult*, NvmlResult>)Entry("nvmlDeviceSetMigMode"))(device, enabled ? 1u : 0u, &activation), "nvmlDeviceSetMigMode");
        return activation;
    }

    public int MostMigDevices(NvmlDevice device) => (int)Number(device, "nvmlDeviceGetMaxMigDeviceCount");

    /// <exception cref="NvmlException"><see cref="NvmlResult.NotFound"/> where there is none at the place.</exception>
    public NvmlDevice MigDevice(NvmlDevice device, int place)
    {
        NvmlDevice mig;
        Check(((delegate* unmanaged<NvmlDevice, uint, NvmlDevice*, NvmlResult>)Entry("nvmlDeviceGetMigDeviceHandleByIndex"))(device, (uint)place, &mig), "nvmlDeviceGetMigDeviceHandleByIndex");
        return mig;
    }

    /// <summary>The card a MIG device is a part of.</summary>
    public NvmlDevice CardOf(NvmlDevice mig)
    {
        NvmlDevice device;
        Check(((delegate* unmanaged<NvmlDevice, NvmlDevice*, NvmlResult>)Entry("nvmlDeviceGetDeviceHandleFromMigDeviceHandle"))(mig, &device), "nvmlDeviceGetDeviceHandleFromMigDeviceHandle");
        return device;
    }

    public uint GpuInstanceId(NvmlDevice mig) => Number(mig, "nvmlDeviceGetGpuInstanceId");

    public uint ComputeInstanceId(NvmlDevice mig) => Number(mig, "nvmlDeviceGetComputeInstanceId");

    public NvmlAttributes Attributes(NvmlDevice mig)
    {
        NvmlAttributes attributes;
        Check(((delegate* unmanaged<NvmlDevice, NvmlAttributes*, NvmlResult>)Entry("nvmlDeviceGetAttributes_v2", "nvmlDeviceGetAttributes"))(mig, &attributes), "nvmlDeviceGetAttributes");
        return attributes;
    }

    /// <param name="profile">NVML_GPU_INSTANCE_PROFILE_*: 0 one slice, 1 two, 2 three, 3 four, 4 seven, 5 eight, 6 six.</param>
    public NvmlGpuInstanceProfile GpuInstanceProfile(NvmlDevice device, uint profile)
    {
        NvmlGpuInstanceProfile found;
        Check(((delegate* unmanaged<NvmlDevice, uint, NvmlGpuInstanceProfile*, NvmlResult>)Entry("nvmlDeviceGetGpuInstanceProfileInfo"))(device, profile, &found), "nvmlDeviceGetGpuInstanceProfileInfo");
        return found;
    }

    /// <param name="profileId">The id that <see cref="GpuInstanceProfile"/> told, as in the calls below.</param>
    public NvmlPlacement[] PossiblePlacements(NvmlDevice device, uint profileId) => Many<NvmlPlacement>(
        (into, count) => ((delegate* unmanaged<NvmlDevice, uint, NvmlPlacement*, uint*, NvmlResult>)Entry("nvmlDeviceGetGpuInstancePossiblePlacements_v2", "nvmlDeviceGetGpuInstancePossiblePlacements"))(
            device, profileId, into, count),
        "nvmlDeviceGetGpuInstancePossiblePlacements");

    public NvmlGpuInstance CreateGpuInstance(NvmlDevice device, uint profileId, NvmlPlacement placement)
    {
        NvmlGpuInstance instance;
        Check(((delegate* unmanaged<NvmlDevice, uint, NvmlPlacement*, NvmlGpuInstance*, NvmlResult>)Entry("nvmlDeviceCreateGpuInstanceWithPlacement"))(device, profileId, &placement, &instance), "nvmlDeviceCreateGpuInstanceWithPlacement");
        return instance;
    }

    /// <param name="most">What the profile tells as its count: as much room must be given.</param>
    public NvmlGpuInstance[] GpuInstances(NvmlDevice device, uint profileId, uint most) => Many<NvmlGpuInstance>(
        (into, count) => ((delegate* unmanaged<NvmlDevice, uint, NvmlGpuInstance*, uint*, NvmlResult>)Entry("nvmlDeviceGetGpuInstances"))(device, profileId, into, count),
        "nvmlDeviceGetGpuInstances", most);

    public NvmlGpuInstance GpuInstanceById(NvmlDevice device, uint id)
    {
        NvmlGpuInstance instance;
        Check(((delegate* unmanaged<NvmlDevice, uint, NvmlGpuInstance*, NvmlResult>)Entry("nvmlDeviceGetGpuInstanceById"))(device, id, &instance), "nvmlDeviceGetGpuInstanceById");
        return instance;
    }

    public NvmlGpuInstanceInfo Of(NvmlGpuInstance instance)
    {
        NvmlGpuInstanceInfo info;
        Check(((delegate* unmanaged<NvmlGpuInstance, NvmlGpuInstanceInfo*, NvmlResult>)Entry("nvmlGpuInstanceGetInfo"))(instance, &info), "nvmlGpuInstanceGetInfo");
        return info;
    }

    public void Destroy(NvmlGpuInstance instance) => Check(((delegate* unmanaged<NvmlGpuInstance, NvmlResult>)Entry("nvmlGpuInstanceDestroy"))(instance), "nvmlGpuInstanceDestroy");

    /// <param name="profile">NVML_COMPUTE_INSTANCE_PROFILE_*: numbered as the GPU instances' profiles.</param>
    public NvmlComputeInstanceProfile ComputeInstanceProfile(NvmlGpuInstance instance, uint profile)
    {
        NvmlComputeInstanceProfile found;
        Check(((delegate* unmanaged<NvmlGpuInstance, uint, uint, NvmlComputeInstanceProfile*, NvmlResult>)Entry("nvmlGpuInstanceGetComputeInstanceProfileInfo"))(instance, profile, SharedEngines, &found), "nvmlGpuInstanceGetComputeInstanceProfileInfo");
        return found;
    }

    public NvmlComputeInstance CreateComputeInstance(NvmlGpuInstance instance, uint profileId)
    {
        NvmlComputeInstance made;
        Check(((delegate* unmanaged<NvmlGpuInstance, uint, NvmlComputeInstance*, NvmlResult>)Entry("nvmlGpuInstanceCreateComputeInstance"))(instance, profileId, &made), "nvmlGpuInstanceCreateComputeInstance");
        return made;
    }

    public NvmlComputeInstance[] ComputeInstances(NvmlGpuInstance instance, uint profileId, uint most) => Many<NvmlComputeInstance>(
        (into, count) => ((delegate* unmanaged<NvmlGpuInstance, uint, NvmlComputeInstance*, uint*, NvmlResult>)Entry("nvmlGpuInstanceGetComputeInstances"))(instance, profileId, into, count),
        "nvmlGpuInstanceGetComputeInstances", most);

    public NvmlComputeInstanceInfo Of(NvmlComputeInstance instance)
    {
        NvmlComputeInstanceInfo info;
        Check(((delegate* unmanaged<NvmlComputeInstance, NvmlComputeInstanceInfo*, NvmlResult>)Entry("nvmlComputeInstanceGetInfo_v2", "nvmlComputeInstanceGetInfo"))(instance, &info), "nvmlComputeInstanceGetInfo");
        return info;
    }

    public void Destroy(NvmlComputeInstance instance) => Check(((delegate* unmanaged<NvmlComputeInstance, NvmlResult>)Entry("nvmlComputeInstanceDestroy"))(instance), "nvmlComputeInstanceDestroy");
}
