using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>What a whole pod asks: containers run together, init containers one after the other beside the sidecars before them.</summary>
internal static class PodAmounts
{
    // What kube-scheduler takes a silent container to need when it compares nodes.
    private const long SilentMilliCpu = 100;
    private const long SilentMemoryBytes = 200 * 1024 * 1024;

    public static Amounts Of(V1Pod pod) => Of(pod, silentCount: false);

    /// <summary>The same with a little for containers that ask nothing; only for comparing nodes.</summary>
    public static Amounts WithSilentOnes(V1Pod pod) => Of(pod, silentCount: true);

    private static Amounts Of(V1Pod pod, bool silentCount)
    {
        var all = new Amounts();
        foreach (var container in pod.Spec.Containers)
            all.Add(Asked(container, silentCount));

        var sidecars = new Amounts();
        var peak = new Amounts();
        foreach (var container in pod.Spec.InitContainers ?? [])
        {
            var asked = Asked(container, silentCount);
            var meanwhile = new Amounts();
            meanwhile.Add(sidecars);
            meanwhile.Add(asked);
            peak.RaiseTo(meanwhile);
            if (container.RestartPolicy != "Always")
                continue;
            all.Add(asked);
            sidecars = meanwhile;
        }
        all.RaiseTo(peak);
        // A pod that says what it needs as a whole overrules its containers.
        all.Replace(pod.Spec.Resources?.Requests);
        all.Add(Amounts.Of(pod.Spec.Overhead));
        return all;
    }

    private static Amounts Asked(V1Container container, bool silentCount)
    {
        var asked = Amounts.Of(container.Resources?.Requests);
        if (silentCount)
            asked.AssumeAtLeast(SilentMilliCpu, SilentMemoryBytes);
        return asked;
    }
}
