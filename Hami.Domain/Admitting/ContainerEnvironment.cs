using System.Globalization;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;

namespace Hami.Domain.Admitting;

/// <summary>The variables by which the library in a container learns what the admin and the pod's limits say.</summary>
/// <remarks>
/// Where one is set here it stands instead of the user's, which could only widen what was asked. A compute policy of the user's own
/// remains when it is the stricter one (<c>force</c>), and a priority remains when no limit names one.
/// </remarks>
internal static class ContainerEnvironment
{
    public const string Priority = "CUDA_TASK_PRIORITY";
    public const string CorePolicy = "GPU_CORE_UTILIZATION_POLICY";
    public const string VisibleDevices = "NVIDIA_VISIBLE_DEVICES";

    /// <summary>Says which variables one container gets, and what of its own is replaced.</summary>
    /// <param name="asksCards">Whether this container asks for cards.</param>
    public static void Settle(
        ContainerShape container, int position, bool asksCards, ContainerVariables environment, NvidiaConfig nvidia,
        List<PodChange> changes, List<string> warnings)
    {
        if (!asksCards)
        {
            if (nvidia.OverwriteEnv)
                Set(VisibleDevices, "none");
            return;
        }
        if (container.Limits.TryGetValue(nvidia.ResourceNames.Priority, out var priority))
            Set(Priority, priority.ToString(CultureInfo.InvariantCulture));
        if (nvidia.GpuCorePolicy is not GpuCorePolicy.Default || Widens(environment))
            Set(CorePolicy, nvidia.GpuCorePolicy.Word());

        void Set(string name, string value)
        {
            var has = environment.Named.TryGetValue(name, out var before);
            if (has && before == value)
                return;
            changes.Add(new PodChange.Variable(position, name, value));
            if (has)
                warnings.Add($"container {container.Name}: the environment variable {name} is {value} by the cluster's rules, what the pod said was replaced");
        }
    }

    // The kubelet lets a variable that is named stand before one of envFrom, and both before what the device plugin gives.
    private static bool Widens(ContainerVariables environment) =>
        environment.Named.TryGetValue(CorePolicy, out var policy) ? policy is not ("default" or "force") : environment.HasOthers;
}
