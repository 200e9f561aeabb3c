using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;

namespace Hami.Domain.Admitting;

/// <summary>What admission reads of a pod beside its shape.</summary>
/// <param name="SchedulerName">Empty when the user set none.</param>
/// <param name="NodeName">Empty unless the user chose the node.</param>
/// <param name="PrivilegedContainer">Name of the first privileged container, init containers first; null when there is none.</param>
public sealed record AdmitPod(PodShape Pod, string SchedulerName, string NodeName, string? PrivilegedContainer);

/// <summary>HAMi's admission defaults, each settable by the admin.</summary>
/// <param name="SchedulerName">Scheduler that gets pods which ask for cards.</param>
/// <param name="ForceOverwriteDefaultScheduler">Also take pods that name <c>default-scheduler</c>.</param>
/// <param name="DefaultGpuCount">Cards of a container that asks only memory or cores; 0 leaves such a pod alone.</param>
public sealed record AdmissionDefaults(string SchedulerName, bool ForceOverwriteDefaultScheduler, int DefaultGpuCount)
{
    public static readonly AdmissionDefaults Hami = new("hami-scheduler", true, 1);
}

/// <summary>What admission does to a pod.</summary>
public abstract record Admission
{
    /// <summary>Let it pass as it is.</summary>
    public sealed record Untouched(string Message) : Admission;

    /// <summary>Hand it to our scheduler, with these limits added.</summary>
    public sealed record HandOver(string SchedulerName, IReadOnlyList<AddedLimit> Limits) : Admission;

    /// <summary>Refuse it.</summary>
    public sealed record Denied(Refusal Because) : Admission;

    private Admission() { }
}

/// <summary>A limit that admission adds to a container.</summary>
/// <param name="Container">Position among all containers, init containers first.</param>
public sealed record AddedLimit(int Container, string Resource, long Value);

public static class AdmitPodDecider
{
    private const string DefaultScheduler = "default-scheduler";

    public static Admission Decide(AdmitPod command, AdmissionDefaults defaults, ResourceNames names)
    {
        if (!command.Pod.Containers.Any(c => !c.IsInit))
            return Deny("NoContainers", "pod has no containers");
        if (IsSomebodyElses(command.SchedulerName, defaults))
            return new Admission.Untouched("pod already has different scheduler assigned");

        var limits = new List<AddedLimit>();
        var claimed = false;
        for (var i = 0; i < command.Pod.Containers.Count; i++)
            claimed |= Claim(command.Pod.Containers[i], i, defaults, names, limits);
        if (!claimed)
            return new Admission.Untouched("pod asks for no HAMi resource");

        var (_, bad) = PodAskParser.Parse(command.Pod, names, PlacementPolicy.Default);
        if (bad is not null)
            return new Admission.Denied(bad);
        if (command.PrivilegedContainer is { } privileged)
            return Deny("Privileged", $"container {privileged} is privileged, so it would see every card; remove securityContext.privileged or the GPU resources");
        if (command.NodeName.Length > 0)
            return Deny("NodeAssigned", "pod has node assigned; remove spec.nodeName, use spec.nodeSelector to prefer a node");
        return new Admission.HandOver(defaults.SchedulerName, limits);
    }

    private static bool IsSomebodyElses(string schedulerName, AdmissionDefaults defaults) =>
        schedulerName.Length > 0
        && schedulerName != defaults.SchedulerName
        && (schedulerName != DefaultScheduler || !defaults.ForceOverwriteDefaultScheduler);

    /// <summary>HAMi's claim test and its defaults: a count for a container that has none, the whole card for one that asks no part of it.</summary>
    private static bool Claim(ContainerShape container, int position, AdmissionDefaults defaults, ResourceNames names, List<AddedLimit> limits)
    {
        var counted = container.Asked(names.Count) is not null;
        if (!counted)
        {
            if (defaults.DefaultGpuCount <= 0 || !new[] { names.Memory, names.MemoryPercent, names.Cores }.Any(container.Limits.ContainsKey))
                return false;
            limits.Add(new(position, names.Count, defaults.DefaultGpuCount));
        }
        var whole = container.Asked(names.MemoryPercent) is { } percent ? percent == 100 : container.Asked(names.Memory) is null;
        if (whole && container.Asked(names.Cores) is null)
            limits.Add(new(position, names.Cores, 100));
        return true;
    }

    private static Admission.Denied Deny(string reason, string sentence) => new(new Refusal(reason, sentence));
}
