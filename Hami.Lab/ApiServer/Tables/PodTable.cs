using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary><c>kubectl get pods</c>: the one word that sums up a pod's state (printPod in pkg/printers/internalversion).</summary>
internal static class PodTable
{
    public static readonly Table Table = new(
        [
            Table.Name, new("Ready"), new("Status"), new("Restarts"), Table.Age, new("IP", 1), new("Node", 1), new("Nominated Node", 1), new("Readiness Gates", 1),
        ],
        Cells,
        pod => pod.TextAt("status", "phase") switch
        {
            "Succeeded" => Completed("Succeeded", "The pod has completed successfully."),
            "Failed" => Completed("Failed", "The pod failed."),
            _ => null,
        });

    private static JsonArray Cells(JsonObject pod, DateTimeOffset now)
    {
        var statuses = pod.ListAt("status", "containerStatuses").Objects().ToArray();
        var (reason, restarts, restarted) = Reason(pod, statuses);
        var ready = statuses.Count(s => s.FlagAt("ready") && s.MapAt("state", "running") is not null);
        var restartCell = restarts > 0 && restarted is not null ? $"{restarts} ({Ages.Since(restarted, now)} ago)" : restarts.ToString();
        return
        [
            pod.TextAt("metadata", "name"), $"{ready}/{pod.ListAt("spec", "containers")?.Count ?? 0}", reason, restartCell, Ages.Of(pod, now),
            OrNone(pod.TextAt("status", "podIP")), OrNone(pod.TextAt("spec", "nodeName")), OrNone(pod.TextAt("status", "nominatedNodeName")), Gates(pod),
        ];
    }

    private static (string Reason, long Restarts, string? Restarted) Reason(JsonObject pod, JsonObject[] statuses)
    {
        var reason = pod.TextAt("status", "reason") ?? pod.TextAt("status", "phase") ?? "";
        if (pod.ListAt("status", "conditions").Objects().Any(c => c.TextAt("type") is "PodScheduled" && c.TextAt("reason") is "SchedulingGated"))
            reason = "SchedulingGated";
        var (initReason, restarts, restarted) = Initializing(pod);
        if (initReason is not null)
        {
            reason = initReason;
        }
        else
        {
            (restarts, restarted) = (0, null);
            var running = false;
            foreach (var status in statuses.Reverse())
            {
                restarts += status.NumberAt("restartCount") ?? 0;
                restarted = status.TextAt("lastState", "terminated", "finishedAt") ?? restarted;
                if (status.TextAt("state", "waiting", "reason") is { Length: > 0 } waiting)
                    reason = waiting;
                else if (status.MapAt("state", "terminated") is { } ended)
                    reason = Ended(ended);
                else if (status.FlagAt("ready") && status.MapAt("state", "running") is not null)
                    running = true;
            }
            if (reason is "Completed" && running)
                reason = "Running";
        }
        if (pod.TextAt("metadata", "deletionTimestamp") is not null && pod.TextAt("status", "phase") is not ("Succeeded" or "Failed"))
            reason = pod.TextAt("status", "reason") is "NodeLost" ? "Unknown" : "Terminating";
        return (reason, restarts, restarted);
    }

    private static (string? Reason, long Restarts, string? Restarted) Initializing(JsonObject pod)
    {
        var total = pod.ListAt("spec", "initContainers")?.Count ?? 0;
        var (i, restarts, restarted) = (0, 0L, (string?)null);
        foreach (var status in pod.ListAt("status", "initContainerStatuses").Objects())
        {
            restarts += status.NumberAt("restartCount") ?? 0;
            restarted = status.TextAt("lastState", "terminated", "finishedAt") ?? restarted;
            if (status.MapAt("state", "terminated") is { } ended)
            {
                if (ended.NumberAt("exitCode") is not 0)
                    return ($"Init:{Ended(ended)}", restarts, restarted);
            }
            else if (status.TextAt("state", "waiting", "reason") is { Length: > 0 } waiting and not "PodInitializing")
                return ($"Init:{waiting}", restarts, restarted);
            // A sidecar (restartPolicy Always) that has started lets the next one go.
            else if (!status.FlagAt("started"))
                return ($"Init:{i}/{total}", restarts, restarted);
            i++;
        }
        return (null, restarts, restarted);
    }

    private static string Ended(JsonObject terminated) =>
        terminated.TextAt("reason") is { Length: > 0 } reason ? reason
        : terminated.NumberAt("signal") is > 0 and var signal ? $"Signal:{signal}"
        : $"ExitCode:{terminated.NumberAt("exitCode")}";

    private static string Gates(JsonObject pod)
    {
        var gates = pod.ListAt("spec", "readinessGates").Objects().Select(g => g.TextAt("conditionType")).ToArray();
        if (gates.Length == 0)
            return "<none>";
        var met = gates.Count(g => pod.ListAt("status", "conditions").Objects().Any(c => c.TextAt("type") == g && c.TextAt("status") is "True"));
        return $"{met}/{gates.Length}";
    }

    private static string OrNone(string? text) => string.IsNullOrEmpty(text) ? "<none>" : text;

    private static JsonArray Completed(string reason, string message) =>
        [new JsonObject { ["type"] = "Completed", ["status"] = "True", ["reason"] = reason, ["message"] = message }];
}
