using System.Globalization;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Allocating;

/// <summary>What a container with shares gets beside its devices: the library, its limits by file, HAMi's variables for those who read them.</summary>
internal static class Answer
{
    /// <summary>Adds to what makes the devices visible; CDI or not, the runtime applies both.</summary>
    /// <param name="devices">As <see cref="DeviceAnswer"/> made it, with the container's cards in the container's order.</param>
    public static ContainerAllocateResponse For(
        string podUid, ContainerShare container, ContainerAllocateResponse devices, AgentOptions options, NodeSettings settings, ContainerDirectories directories)
    {
        var answer = devices.Clone();
        foreach (var (i, device) in container.Devices.Index())
            answer.Envs[$"CUDA_DEVICE_MEMORY_LIMIT_{i}"] = $"{device.MemoryMiB}m";
        // HAMi's variable knows one compute limit for all of a container's cards; the limits file knows each.
        answer.Envs["CUDA_DEVICE_SM_LIMIT"] = container.Devices[0].Cores.ToString(CultureInfo.InvariantCulture);
        answer.Envs["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = Path.Combine(options.VgpuDir, Path.GetFileName(directories.RegionOf(podUid, container.Name)));
        // Instead of one that the image brings along; the cluster's own, where it is another, stands in the pod and comes before this.
        answer.Envs["GPU_CORE_UTILIZATION_POLICY"] = LimitsFile.CorePolicy(null, settings);
        if (settings.LibCudaLogLevel is { Length: > 0 } level)
            answer.Envs["LIBCUDA_LOG_LEVEL"] = level;
        if (settings.MemoryScaling > 1)
            answer.Envs["CUDA_OVERSUBSCRIBE"] = "true";

        answer.Mounts.Add(Mount(options.VgpuDir, directories.Of(podUid, container.Name), readOnly: true));
        answer.Mounts.Add(Mount(Path.Combine(options.VgpuDir, Path.GetFileName(directories.RegionOf(podUid, container.Name))), directories.RegionOf(podUid, container.Name), readOnly: false));
        answer.Mounts.Add(Mount(options.AgentDir, options.AgentDir, readOnly: true));
        if (!(container.Unlimited && options.Handing.AllowsNoControl))
            answer.Mounts.Add(Mount("/etc/ld.so.preload", $"{options.VgpuDir}/ld.so.preload", readOnly: true));
        return answer;
    }

    private static Mount Mount(string inside, string onHost, bool readOnly) =>
        new() { ContainerPath = inside, HostPath = onHost, ReadOnly = readOnly };
}
