using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What core/v1 fills into a pod's spec, wherever the spec stands.</summary>
internal static class PodDefaults
{
    private static readonly string[] Probes = ["livenessProbe", "readinessProbe", "startupProbe"];
    private static readonly string[] FileSources = ["secret", "configMap", "projected", "downwardAPI"];

    public static void OfSpec(JsonObject spec)
    {
        spec.SetIfMissing("restartPolicy", "Always");
        spec.SetIfMissing("terminationGracePeriodSeconds", 30);
        spec.SetIfMissing("dnsPolicy", "ClusterFirst");
        spec.SetIfMissing("securityContext", new JsonObject());
        spec.SetIfMissing("schedulerName", "default-scheduler");
        // The older name of the account is kept beside the newer one.
        if (spec.TextAt("serviceAccountName") is { Length: > 0 } account)
            spec["serviceAccount"] = account;
        foreach (var container in PodRules.Containers(spec))
            OfContainer(container, spec.FlagAt("hostNetwork"));
        foreach (var volume in spec["volumes"].Objects())
            OfVolume(volume);
    }

    private static void OfContainer(JsonObject container, bool onHostNetwork)
    {
        container.Child("resources");
        container.SetIfMissing("terminationMessagePath", "/dev/termination-log");
        container.SetIfMissing("terminationMessagePolicy", "File");
        container.SetIfMissing("imagePullPolicy", HasFixedTag(container.TextAt("image") ?? "") ? "IfNotPresent" : "Always");
        foreach (var port in container["ports"].Objects())
        {
            port.SetIfMissing("protocol", "TCP");
            if (onHostNetwork && port["containerPort"] is { } number)
                port.SetIfMissing("hostPort", number.DeepClone());
        }
        foreach (var variable in container["env"].Objects())
        {
            if (variable.MapAt("valueFrom", "fieldRef") is { } field)
                field.SetIfMissing("apiVersion", "v1");
        }
        foreach (var probe in Probes.Select(p => container[p]).OfType<JsonObject>())
        {
            probe.SetIfMissing("timeoutSeconds", 1);
            probe.SetIfMissing("periodSeconds", 10);
            probe.SetIfMissing("successThreshold", 1);
            probe.SetIfMissing("failureThreshold", 3);
            if (probe["httpGet"] is JsonObject get)
            {
                get.SetIfMissing("path", "/");
                get.SetIfMissing("scheme", "HTTP");
            }
        }
    }

    private static void OfVolume(JsonObject volume)
    {
        if (volume.Count == 1 && volume.ContainsKey("name"))
            volume["emptyDir"] = new JsonObject();
        foreach (var source in FileSources.Select(s => volume[s]).OfType<JsonObject>())
            source.SetIfMissing("defaultMode", 420);
        foreach (var token in volume.At("projected", "sources").Objects().Select(s => s["serviceAccountToken"]).OfType<JsonObject>())
            token.SetIfMissing("expirationSeconds", 3600);
        if (volume["hostPath"] is JsonObject path)
            path.SetIfMissing("type", "");
    }

    private static bool HasFixedTag(string image)
    {
        if (image.Contains('@', StringComparison.Ordinal))
            return true;
        var tag = image[(image.LastIndexOf('/') + 1)..].Split(':');
        return tag.Length > 1 && tag[1] is not "latest";
    }
}
