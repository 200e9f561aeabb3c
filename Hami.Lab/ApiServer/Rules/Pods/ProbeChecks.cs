using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Probes and lifecycle hooks of a container.</summary>
internal static class ProbeChecks
{
    private const string OnlyOne = "may not specify more than 1 handler type";

    public static void Check(JsonObject container, string at, long? grace, Causes causes)
    {
        foreach (var hook in ((string[])["postStart", "preStop"]).Where(h => container.At("lifecycle", h) is JsonObject))
            CheckHandler(container.MapAt("lifecycle", hook)!, $"{at}.lifecycle.{hook}", grace, causes);
        foreach (var kind in (string[])["livenessProbe", "readinessProbe", "startupProbe"])
        {
            if (container.MapAt(kind) is { } probe)
                CheckProbe(probe, $"{at}.{kind}", kind is "readinessProbe", grace, causes);
        }
    }

    private static void CheckProbe(JsonObject probe, string at, bool ready, long? grace, Causes causes)
    {
        CheckHandler(probe, at, grace, causes);
        foreach (var field in (string[])["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"])
            causes.NotNegative(probe, field, at);
        if (probe.NumberAt("terminationGracePeriodSeconds") is <= 0 and var own)
            causes.Invalid($"{at}.terminationGracePeriodSeconds", own, "must be greater than 0");
        if (!ready && (probe.NumberAt("successThreshold") ?? 1) is not 1 and var successes)
            causes.Invalid($"{at}.successThreshold", successes, "must be 1");
        if (ready && probe["terminationGracePeriodSeconds"] is { } set)
            causes.Invalid($"{at}.terminationGracePeriodSeconds", set, "must not be set for readinessProbes");
    }

    private static void CheckHandler(JsonObject handler, string at, long? grace, Causes causes)
    {
        var chosen = ((string[])["exec", "httpGet", "tcpSocket", "grpc", "sleep"]).Where(h => handler[h] is JsonObject).ToArray();
        if (chosen.Length == 0)
            causes.Required(at, "must specify a handler type");
        for (var i = 0; i < chosen.Length; i++)
        {
            if (i > 0)
                causes.Forbidden($"{at}.{chosen[i]}", OnlyOne);
            else
                CheckAction(chosen[i], handler.MapAt(chosen[i])!, $"{at}.{chosen[i]}", grace, causes);
        }
    }

    private static void CheckAction(string kind, JsonObject action, string at, long? grace, Causes causes)
    {
        switch (kind)
        {
            case "exec" when action["command"] is not JsonArray { Count: > 0 }:
                causes.Required($"{at}.command");
                break;
            case "httpGet":
                PortChecks.CheckNumberOrName(action["port"], $"{at}.port", causes);
                causes.OneOf(action, "scheme", at, "HTTP", "HTTPS");
                foreach (var header in action["httpHeaders"].Objects().Select(h => h.TextAt("name") ?? ""))
                    causes.Invalid($"{at}.httpHeaders", header, Formats.HeaderName(header));
                break;
            case "tcpSocket" or "grpc":
                PortChecks.CheckNumberOrName(action["port"], $"{at}.port", causes);
                break;
            case "sleep" when grace is { } most && (action.NumberAt("seconds") ?? 0) is var seconds && (seconds < 0 || seconds > most):
                causes.Invalid(at, seconds, $"must be non-negative and less than terminationGracePeriodSeconds ({most})");
                break;
        }
    }
}
