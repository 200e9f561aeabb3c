using System.Globalization;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Domain.Quotas;

namespace Hami.Domain.Admitting;

/// <summary>What admission reads of a pod.</summary>
/// <param name="Environments">In order of <see cref="PodShape.Containers"/>.</param>
/// <param name="SchedulerName">Empty when the user set none.</param>
/// <param name="NodeName">Empty unless the user chose the node.</param>
/// <param name="RuntimeClassName">Empty when the user set none.</param>
/// <param name="PrivilegedContainer">Name of the first privileged container, init containers first; null when there is none.</param>
public sealed record AdmitPod(
    PodShape Pod, IReadOnlyList<ContainerVariables> Environments, string SchedulerName, string NodeName, string RuntimeClassName,
    string? PrivilegedContainer);

/// <summary>The environment of a container.</summary>
/// <param name="Named">What stands there, by name; a variable whose value is taken from elsewhere has none.</param>
/// <param name="HasOthers">Whether a ConfigMap or a Secret is taken over whole (<c>envFrom</c>): its names are not known.</param>
public sealed record ContainerVariables(IReadOnlyDictionary<string, string?> Named, bool HasOthers = false);

/// <summary>What the admin says of admission.</summary>
/// <param name="SchedulerName">Scheduler that gets pods which ask for cards; empty leaves them theirs.</param>
/// <param name="ForceOverwriteDefaultScheduler">Also take pods that name <c>default-scheduler</c>.</param>
public sealed record AdmissionRules(string SchedulerName, bool ForceOverwriteDefaultScheduler, NvidiaConfig Nvidia)
{
    public static readonly AdmissionRules Hami = new("hami-scheduler", true, NvidiaConfig.Hami);
}

/// <summary>What admission does to a pod.</summary>
public abstract record Admission
{
    /// <summary>Let it pass, changed so; unchanged when there are no changes.</summary>
    /// <param name="Message">What kind of pod it was taken for.</param>
    /// <param name="Warnings">What its author should know.</param>
    public sealed record Allowed(string Message, IReadOnlyList<PodChange> Changes, IReadOnlyList<string> Warnings) : Admission;

    /// <summary>Refuse it.</summary>
    public sealed record Denied(Refusal Because) : Admission;

    private Admission() { }
}

public static class AdmitPodDecider
{
    public const string NoResource = "pod asks for no HAMi resource";
    private const string DefaultScheduler = "default-scheduler";

    /// <summary>Goes through HAMi's checks in their order.</summary>
    /// <param name="room">What the pod's namespace may still take.</param>
    public static Admission Decide(AdmitPod command, AdmissionRules rules, QuotaRoom room)
    {
        var pod = command.Pod;
        if (!pod.Containers.Any(c => !c.IsInit))
            return Deny("NoContainers", "pod has no containers");
        var changes = new List<PodChange>();
        var warnings = new List<string>();
        ResultKeys.Strip(pod, changes, warnings);
        if (IsSomebodyElses(command.SchedulerName, rules))
            return new Admission.Allowed("pod already has different scheduler assigned", changes, warnings);

        pod = pod with { Containers = [.. pod.Containers.Select((c, i) => ContainerDefaults.Complete(c, i, rules.Nvidia, changes))] };
        if (PodFaults.Find(pod, rules.Nvidia) is { } bad)
            return new Admission.Denied(bad);
        var (ask, refused) = PodAskParser.Parse(pod, rules.Nvidia, PlacementPolicy.Default);
        if (refused is not null)
            return new Admission.Denied(refused);
        for (var i = 0; i < pod.Containers.Count; i++)
            ContainerEnvironment.Settle(pod.Containers[i], i, ask.Containers[i].Count > 0, command.Environments[i], rules.Nvidia, changes, warnings);
        return ask.AsksCards() ? HandOver(command, ask, rules, room, changes, warnings) : new Admission.Allowed(NoResource, changes, warnings);
    }

    private static Admission HandOver(AdmitPod command, PodAsk ask, AdmissionRules rules, QuotaRoom room, List<PodChange> changes, List<string> warnings)
    {
        if (command.PrivilegedContainer is { } privileged)
            return Deny("Privileged", $"container {privileged} is privileged, so it would see every card; remove securityContext.privileged or the GPU resources");
        if (rules.SchedulerName.Length > 0)
        {
            if (command.NodeName.Length > 0)
                return Deny("NodeAssigned", "pod has node assigned; remove spec.nodeName, use spec.nodeSelector to prefer a node");
            if (command.SchedulerName != rules.SchedulerName)
                changes.Add(new PodChange.SchedulerName(rules.SchedulerName));
        }
        if (command.RuntimeClassName.Length == 0 && rules.Nvidia.RuntimeClassName.Length > 0)
            changes.Add(new PodChange.RuntimeClass(rules.Nvidia.RuntimeClassName));
        return Exceeds(ask, rules.Nvidia.ResourceNames, room) is { } exceeding
            ? Deny("QuotaExceeded", exceeding)
            : new Admission.Allowed("pod asks for cards", changes, warnings);
    }

    private static bool IsSomebodyElses(string schedulerName, AdmissionRules rules) =>
        schedulerName.Length > 0
        && schedulerName != rules.SchedulerName
        && (schedulerName != DefaultScheduler || !rules.ForceOverwriteDefaultScheduler);

    /// <summary>A percentage is known only on a card, so here it counts nothing; placement asks again.</summary>
    private static string? Exceeds(PodAsk ask, ResourceNames names, QuotaRoom room)
    {
        var least = LeastUse.Of(ask);
        if (least == QuotaUse.None || room.Holds(least))
            return null;
        var over = new List<string>();
        if (room.MemoryMiB is { } memory && least.MemoryMiB > memory)
            over.Add(Over(names.Memory, " MiB", least.MemoryMiB, memory));
        if (room.Cores is { } cores && least.Cores > cores)
            over.Add(Over(names.Cores, " percent", least.Cores, cores));
        return $"exceeding resource quota: {string.Join(" and ", over)} in namespace {ask.Namespace}; ask for less, wait until others end, or have the quota raised";
    }

    private static string Over(string resource, string unit, long asked, long left) => string.Create(
        CultureInfo.InvariantCulture, $"the pod asks {resource} {asked}{unit} in all, {Math.Max(left, 0)} are left");

    private static Admission.Denied Deny(string reason, string sentence) => new(new Refusal(reason, sentence));
}
