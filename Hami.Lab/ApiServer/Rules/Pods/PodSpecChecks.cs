using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>A pod's spec, topic by topic, in the order of core/v1's own validation.</summary>
internal static class PodSpecChecks
{
    /// <summary>Says all that is wrong with the spec; <paramref name="inPod"/> when it is a pod's own and not that of a template.</summary>
    public static void Check(JsonObject spec, string at, bool inPod, Causes causes)
    {
        if (spec["terminationGracePeriodSeconds"] is null)
            causes.Required($"{at}.terminationGracePeriodSeconds");
        var volumes = VolumeChecks.Check(spec["volumes"], $"{at}.volumes", causes);
        ContainerChecks.Check(spec, at, volumes, causes);
        PortChecks.CheckHostNetwork(spec, at, inPod, causes);
        causes.OneOf(spec, "restartPolicy", at, "Always", "OnFailure", "Never");
        causes.OneOf(spec, "dnsPolicy", at, "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None");
        causes.Labels(spec.MapAt("nodeSelector"), $"{at}.nodeSelector");
        SecurityChecks.CheckPod(spec, at, causes);
        AffinityChecks.Check(spec.MapAt("affinity"), $"{at}.affinity", causes);
        DnsChecks.Check(spec, at, causes);
        foreach (var (gate, here) in spec["readinessGates"].Numbered($"{at}.readinessGates"))
            causes.Invalid($"{here}.conditionType", gate.TextAt("conditionType") ?? "", Formats.QualifiedName(gate.TextAt("conditionType") ?? ""));
        CheckGates(spec["schedulingGates"], $"{at}.schedulingGates", causes);
        SpreadChecks.Check(spec["topologySpreadConstraints"], $"{at}.topologySpreadConstraints", causes);
        SecurityChecks.CheckUserNamespace(spec, at, causes);
        CheckName(spec, "serviceAccountName", at, Formats.Subdomain, causes);
        CheckName(spec, "nodeName", at, Formats.Subdomain, causes);
        causes.InRange(spec, "activeDeadlineSeconds", at, 1, int.MaxValue);
        CheckName(spec, "hostname", at, Formats.Label, causes);
        CheckName(spec, "subdomain", at, Formats.Label, causes);
        TolerationChecks.Check(spec["tolerations"], $"{at}.tolerations", causes);
        DnsChecks.CheckAliases(spec["hostAliases"], $"{at}.hostAliases", causes);
        CheckName(spec, "priorityClassName", at, Formats.Subdomain, causes);
        CheckName(spec, "runtimeClassName", at, Formats.Subdomain, causes);
        causes.OneOf(spec, "preemptionPolicy", at, "PreemptLowerPriority", "Never");
        if (spec.MapAt("overhead") is { } overhead)
            ResourceChecks.CheckAmounts(overhead, $"{at}.overhead.limits", causes);
        CheckSystem(spec.MapAt("os"), $"{at}.os", causes);
    }

    private static void CheckName(JsonObject spec, string name, string at, Func<string, IEnumerable<string>> form, Causes causes)
    {
        if (spec.TextAt(name) is { Length: > 0 } text)
            causes.Invalid($"{at}.{name}", text, form(text));
    }

    private static void CheckGates(JsonNode? gates, string at, Causes causes)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (gate, here) in gates.Numbered(at))
        {
            var name = gate.TextAt("name") ?? "";
            causes.Invalid(here, name, Formats.QualifiedName(name));
            if (!seen.Add(name))
                causes.Duplicate(here, name);
        }
    }

    private static void CheckSystem(JsonObject? system, string at, Causes causes)
    {
        if (system is null)
            return;
        if (string.IsNullOrEmpty(system.TextAt("name")))
            causes.Required($"{at}.name", "cannot be empty");
        else if (system.TextAt("name") is not ("linux" or "windows"))
            causes.Unsupported(at, system.TextAt("name"), "linux", "windows");
    }
}
