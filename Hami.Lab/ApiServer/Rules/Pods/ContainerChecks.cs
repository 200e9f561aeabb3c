using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Containers and init containers of a pod.</summary>
internal static class ContainerChecks
{
    private const string OnlySidecars = "may not be set for init containers without restartPolicy=Always";

    public static void Check(JsonObject spec, string at, IReadOnlyDictionary<string, JsonObject> volumes, Causes causes)
    {
        if (spec["containers"] is JsonArray { Count: > 0 } containers)
            CheckMain(containers, spec, $"{at}.containers", volumes, causes);
        else
            causes.Required($"{at}.containers");
        CheckInit(spec, $"{at}.initContainers", volumes, causes);
    }

    private static void CheckMain(JsonArray containers, JsonObject spec, string at, IReadOnlyDictionary<string, JsonObject> volumes, Causes causes)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (container, here) in containers.Numbered(at))
        {
            CheckOne(container, here, spec, volumes, causes);
            if (!names.Add(container.TextAt("name") ?? ""))
                causes.Duplicate($"{here}.name", container.TextAt("name"));
            ProbeChecks.Check(container, here, spec.NumberAt("terminationGracePeriodSeconds"), causes);
            causes.OneOf(container, "restartPolicy", here, "Always", "Never", "OnFailure");
        }
        PortChecks.CheckConflicts(containers.Numbered(at), causes);
    }

    private static void CheckInit(JsonObject spec, string at, IReadOnlyDictionary<string, JsonObject> volumes, Causes causes)
    {
        var names = spec["containers"].Objects().Select(c => c.TextAt("name") ?? "").ToHashSet(StringComparer.Ordinal);
        foreach (var (container, here) in spec["initContainers"].Numbered(at))
        {
            CheckOne(container, here, spec, volumes, causes);
            causes.OneOf(container, "restartPolicy", here, "Always", "Never", "OnFailure");
            if (container.TextAt("name") is { Length: > 0 } name && !names.Add(name))
                causes.Duplicate($"{here}.name", name);
            // They run one after the other, so only within one of them can two ports be the same.
            PortChecks.CheckConflicts([(container, here)], causes);
            if (container.TextAt("restartPolicy") is "Always")
            {
                ProbeChecks.Check(container, here, spec.NumberAt("terminationGracePeriodSeconds"), causes);
                continue;
            }
            foreach (var field in ((string[])["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]).Where(f => container[f] is not null))
                causes.Forbidden($"{here}.{field}", OnlySidecars);
        }
    }

    private static void CheckOne(JsonObject container, string at, JsonObject spec, IReadOnlyDictionary<string, JsonObject> volumes, Causes causes)
    {
        if (causes.Present(container, "name", at))
            causes.Invalid($"{at}.name", container.TextAt("name")!, Formats.Label(container.TextAt("name")!));
        causes.Present(container, "image", at);
        causes.OneOf(container, "terminationMessagePolicy", at, "File", "FallbackToLogsOnError");
        PortChecks.Check(container["ports"], $"{at}.ports", causes);
        EnvironmentChecks.Check(container["env"], $"{at}.env", causes);
        EnvironmentChecks.CheckSources(container["envFrom"], $"{at}.envFrom", causes);
        MountChecks.Check(container, at, volumes, causes);
        MountChecks.CheckDevices(container, at, volumes, causes);
        causes.OneOf(container, "imagePullPolicy", at, "Always", "IfNotPresent", "Never");
        ResourceChecks.Check(container.MapAt("resources"), $"{at}.resources", spec["resourceClaims"].Objects(), causes);
        ResourceChecks.CheckResizing(container["resizePolicy"], $"{at}.resizePolicy", spec.TextAt("restartPolicy"), causes);
        SecurityChecks.CheckContainer(container.MapAt("securityContext"), $"{at}.securityContext", !SecurityChecks.OwnUsers(spec), causes);
    }
}
