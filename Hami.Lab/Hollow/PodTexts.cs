using System.Globalization;
using System.Text.Json;
using Hami.Domain.Protocol;

namespace Hami.Lab.Hollow;

/// <summary>What is written about a pod on a hollow node.</summary>
internal static class PodTexts
{
    public const string Address = "127.0.0.1";

    /// <summary>The annotations with which the agent says that all containers have their devices.</summary>
    public static string Allocated(HollowPod pod) => JsonSerializer.Serialize(new
    {
        metadata = new
        {
            uid = pod.Uid,
            annotations = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [HamiKeys.BindPhase] = BindPhases.Success,
                [HamiKeys.DevicesToAllocate] = DeviceList.Encode(Enumerable.Repeat(Array.Empty<ListedDevice>(), pod.Init.Count + pod.Containers.Count)),
            },
        },
    });

    /// <summary>The annotation with which the agent says that nothing will be handed out.</summary>
    public static string AllocationFailed(string uid) => JsonSerializer.Serialize(new
    {
        metadata = new { uid, annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.BindPhase] = BindPhases.Failed } },
    });

    public static string Rejected(string uid, string reason, string message, DateTimeOffset now) => JsonSerializer.Serialize(new
    {
        metadata = new { uid },
        status = new { phase = "Failed", reason, message, startTime = Stamp(now) },
    });

    public static string Running(HollowPod pod) => Status(pod, "Running", pod.StartedAt, ready: true, _ => new { running = new { startedAt = Stamp(pod.StartedAt) } });

    public static string Succeeded(HollowPod pod, DateTimeOffset now) => Status(pod, "Succeeded", now, ready: false, name => Completed(pod, name, now));

    public static string Delete(HollowPod pod) => JsonSerializer.Serialize(new
    {
        apiVersion = "v1",
        kind = "DeleteOptions",
        gracePeriodSeconds = 0,
        preconditions = new { uid = pod.Uid },
    });

    public static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Status(HollowPod pod, string phase, DateTimeOffset since, bool ready, Func<string, object> state) => JsonSerializer.Serialize(new
    {
        metadata = new { uid = pod.Uid },
        status = new
        {
            phase,
            startTime = Stamp(pod.StartedAt),
            hostIP = Address,
            podIP = Address,
            podIPs = new[] { new { ip = Address } },
            conditions = new[]
            {
                Condition("PodReadyToStartContainers", ready, since, ready ? null : "PodCompleted"),
                Condition("Initialized", true, since, ready ? null : "PodCompleted"),
                Condition("Ready", ready, since, ready ? null : "PodCompleted"),
                Condition("ContainersReady", ready, since, ready ? null : "PodCompleted"),
            },
            initContainerStatuses = pod.Init.Count == 0 ? null : pod.Init.Select(name => Container(pod, name, ready: true, started: false, Completed(pod, name, pod.StartedAt))),
            containerStatuses = pod.Containers.Select(name => Container(pod, name, ready, started: ready, state(name))),
        },
    });

    private static object Condition(string type, bool holds, DateTimeOffset since, string? reason) =>
        new { type, status = holds ? "True" : "False", reason, lastTransitionTime = Stamp(since) };

    private static object Container(HollowPod pod, string name, bool ready, bool started, object state) =>
        new { name, image = "", imageID = "", containerID = Id(pod, name), ready, started, restartCount = 0, state };

    private static object Completed(HollowPod pod, string name, DateTimeOffset finished) => new
    {
        terminated = new { exitCode = 0, reason = "Completed", startedAt = Stamp(pod.StartedAt), finishedAt = Stamp(finished), containerID = Id(pod, name) },
    };

    private static string Id(HollowPod pod, string name) => $"hollow://{pod.Uid}/{name}";
}
