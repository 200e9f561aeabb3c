using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The few annotations of pods that the API server itself reads.</summary>
internal static class PodAnnotationChecks
{
    private const string Mirror = "kubernetes.io/config.mirror";
    private const string DeletionCost = "controller.kubernetes.io/pod-deletion-cost";

    public static void Check(JsonObject? annotations, JsonObject spec, string at, Causes causes)
    {
        if (annotations.TextAt(Mirror) is { } mirror && string.IsNullOrEmpty(spec.TextAt("nodeName")))
            causes.Invalid($"{at}[{Mirror}]", mirror, "must set spec.nodeName if mirror pod annotation is set");
        if (annotations.TextAt(DeletionCost) is { } cost && (!int.TryParse(cost, out _) || cost[0] is '+' || (cost[0] is '0' && cost.Length > 1)))
            causes.Invalid($"{at}[{DeletionCost}]", cost, "must be a 32bit integer");
    }

    public static void CheckUpdate(JsonObject? now, JsonObject? before, string at, Causes causes)
    {
        var (new_, old) = (now.TextAt(Mirror), before.TextAt(Mirror));
        if (old is not null && new_ != old)
            causes.Forbidden($"{at}[{Mirror}]", "may not remove or update mirror pod annotation");
        else if (old is null && new_ is not null)
            causes.Forbidden($"{at}[{Mirror}]", "may not add mirror pod annotation");
    }
}
