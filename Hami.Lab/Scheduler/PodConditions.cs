using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>What the scheduler writes into a pod's status.</summary>
internal static class PodConditions
{
    /// <summary>The patch that says why the pod has no node yet and which one it was promised; null when the status says so already.</summary>
    /// <param name="status">The pod's status now.</param>
    /// <param name="condition">Type, status, reason, message and the generation it is about.</param>
    /// <param name="nominated">The promised node, empty for none any more, null to leave it.</param>
    /// <param name="now">When a change of status happened.</param>
    public static V1Patch? Patch(V1PodStatus? status, V1PodCondition condition, string? nominated, DateTimeOffset now)
    {
        var had = status?.Conditions?.FirstOrDefault(c => c.Type == condition.Type);
        var isNew = had is null || had.Status != condition.Status || had.Reason != condition.Reason || had.Message != condition.Message
            || had.ObservedGeneration != condition.ObservedGeneration;
        var moves = nominated is not null && (status?.NominatedNodeName ?? "") != nominated;
        if (!isNew && !moves)
            return null;

        var patch = new JsonObject();
        if (isNew)
        {
            var since = had is not null && had.Status == condition.Status && had.LastTransitionTime is { } at ? at : now.UtcDateTime;
            var written = new JsonObject
            {
                ["lastProbeTime"] = null,
                ["lastTransitionTime"] = since.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"),
                ["message"] = condition.Message,
                ["observedGeneration"] = condition.ObservedGeneration,
                ["reason"] = condition.Reason,
                ["status"] = condition.Status,
                ["type"] = condition.Type,
            };
            if (condition.ObservedGeneration is null)
                written.Remove("observedGeneration");
            patch["conditions"] = new JsonArray(written);
        }
        if (moves)
            patch["nominatedNodeName"] = nominated!.Length == 0 ? null : nominated;
        return new(new JsonObject { ["status"] = patch }.ToJsonString(), V1Patch.PatchType.StrategicMergePatch);
    }
}
