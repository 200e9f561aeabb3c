using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Allocating;

/// <summary>What a container gets, as HAMi v2.10 gives it: environment for the NVIDIA runtime and the library, and the mounts of both.</summary>
internal static class Answer
{
    public static ContainerAllocateResponse For(string podUid, ContainerShare container, AgentOptions options, NodeSettings settings, ContainerDirectories directories)
    {
        var answer = new ContainerAllocateResponse();
        answer.Envs["NVIDIA_VISIBLE_DEVICES"] = string.Join(',', container.VisibleIds);
        // A MIG instance has its own memory and compute: there is nothing to limit.
        if (container.MigUuids.Count > 0)
            return answer;
        foreach (var (i, device) in container.Devices.Index())
            answer.Envs[$"CUDA_DEVICE_MEMORY_LIMIT_{i}"] = $"{device.MemoryMiB}m";
        // The library knows one compute limit for all of a container's cards; the scheduler gives each the same.
        answer.Envs["CUDA_DEVICE_SM_LIMIT"] = container.Devices[0].Cores.ToString(CultureInfo.InvariantCulture);
        answer.Envs["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = $"{options.VgpuDir}/{RegionId(podUid, container.Name)}.cache";
        // Instead of one that the image brings along; the cluster's own, where it is another, stands in the pod and comes before this.
        answer.Envs["GPU_CORE_UTILIZATION_POLICY"] = settings.DisableCoreLimit ? "disable" : "default";
        if (settings.LibCudaLogLevel is { } level)
            answer.Envs["LIBCUDA_LOG_LEVEL"] = level;
        if (settings.MemoryScaling > 1)
            answer.Envs["CUDA_OVERSUBSCRIBE"] = "true";

        answer.Mounts.Add(Mount($"{options.VgpuDir}/libvgpu.so", options.LibraryFile, readOnly: true));
        answer.Mounts.Add(Mount(options.VgpuDir, directories.Of(podUid, container.Name), readOnly: false));
        answer.Mounts.Add(Mount("/tmp/vgpulock", options.LockPath, readOnly: false));
        if (!container.Unlimited)
            answer.Mounts.Add(Mount("/etc/ld.so.preload", $"{options.VgpuDir}/ld.so.preload", readOnly: true));
        answer.Mounts.Add(Mount(options.AgentDir, options.AgentDir, readOnly: true));
        return answer;
    }

    // HAMi draws the region's name by lot. Made from the container's identity, a repeated Allocate gives the same answer.
    private static Guid RegionId(string podUid, string container) =>
        new(SHA256.HashData(Encoding.UTF8.GetBytes($"{podUid}/{container}")).AsSpan(0, 16));

    private static Mount Mount(string inside, string onHost, bool readOnly) =>
        new() { ContainerPath = inside, HostPath = onHost, ReadOnly = readOnly };
}
