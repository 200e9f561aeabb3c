using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>core/v1 Pod: defaults, built-in admission and the life of its status.</summary>
internal sealed class PodRules : ResourceRules
{
    private static readonly string[] Probes = ["livenessProbe", "readinessProbe", "startupProbe"];
    private static readonly string[] FileSources = ["secret", "configMap", "projected", "downwardAPI"];

    public override void Default(JsonObject body)
    {
        var spec = body.Child("spec");
        spec.SetIfMissing("restartPolicy", "Always");
        spec.SetIfMissing("terminationGracePeriodSeconds", 30);
        spec.SetIfMissing("dnsPolicy", "ClusterFirst");
        spec.SetIfMissing("securityContext", new JsonObject());
        spec.SetIfMissing("schedulerName", "default-scheduler");
        spec.SetIfMissing("enableServiceLinks", true);
        foreach (var container in Containers(spec))
            DefaultContainer(container);
        foreach (var volume in spec["volumes"].Objects())
            DefaultVolume(volume);
    }

    public override void Admit(JsonObject body)
    {
        var spec = body.Child("spec");
        MountServiceAccount(spec);
        Tolerate(spec, "node.kubernetes.io/not-ready");
        Tolerate(spec, "node.kubernetes.io/unreachable");
        // Two classes exist in every cluster (scheduling/v1 SystemPriorityClasses); the lab keeps no others.
        spec.SetIfMissing("priority", spec.TextAt("priorityClassName") switch
        {
            "system-node-critical" => 2000001000,
            "system-cluster-critical" => 2000000000,
            _ => 0,
        });
        spec.SetIfMissing("preemptionPolicy", "PreemptLowerPriority");
    }

    public override void Review(JsonObject body, ObjectStore store, Resource resource)
    {
        var name = body.TextAt("metadata", "name") ?? "";
        if (body.TextAt("spec", "runtimeClassName") is { Length: > 0 } runtime && store.Find(Resources.RuntimeClasses, "", runtime) is null)
            throw KubernetesError.Forbidden(resource, name, $"pod rejected: RuntimeClass \"{runtime}\" not found");
        if (body.TextAt("spec", "priorityClassName") is { Length: > 0 } priority and not ("system-node-critical" or "system-cluster-critical"))
            throw KubernetesError.Forbidden(resource, name, $"no PriorityClass with name {priority} was found");
    }

    public override void Complete(JsonObject body)
    {
        foreach (var condition in body.ListAt("status", "conditions").Objects().Where(c => !c.ContainsKey("lastProbeTime")))
            condition["lastProbeTime"] = null;
    }

    public override void PrepareCreate(JsonObject body) =>
        body["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = QualityOf(body.Child("spec")) };

    public override IEnumerable<Cause> Validate(JsonObject body) => PodChecks.Of(body);

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) => PodChecks.OfUpdate(body, old);

    // podStrategy.CheckGracefulDelete: nobody runs an unassigned or finished pod, so there is nobody to wait for.
    public override long? GracePeriod(JsonObject body, long? asked)
    {
        if (string.IsNullOrEmpty(body.TextAt("spec", "nodeName")) || body.TextAt("status", "phase") is "Failed" or "Succeeded")
            return 0;
        var seconds = asked ?? body.NumberAt("spec", "terminationGracePeriodSeconds") ?? 0;
        return seconds < 0 ? 1 : seconds;
    }

    internal static IEnumerable<JsonObject> Containers(JsonNode spec) => spec.At("initContainers").Objects().Concat(spec.At("containers").Objects());

    private static void DefaultContainer(JsonObject container)
    {
        var resources = container.Child("resources");
        // SetDefaults_Pod: a limit is also what is asked for, extended resources included.
        foreach (var (name, amount) in resources["limits"] as JsonObject ?? [])
            resources.Child("requests").SetIfMissing(name, amount!.DeepClone());
        container.SetIfMissing("terminationMessagePath", "/dev/termination-log");
        container.SetIfMissing("terminationMessagePolicy", "File");
        container.SetIfMissing("imagePullPolicy", HasFixedTag(container.TextAt("image") ?? "") ? "IfNotPresent" : "Always");
        foreach (var port in container["ports"].Objects())
            port.SetIfMissing("protocol", "TCP");
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
        }
    }

    private static void DefaultVolume(JsonObject volume)
    {
        if (volume.Count == 1 && volume.ContainsKey("name"))
            volume["emptyDir"] = new JsonObject();
        foreach (var source in FileSources.Select(s => volume[s]).OfType<JsonObject>())
            source.SetIfMissing("defaultMode", 420);
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

    // The ServiceAccount admission plugin: every pod finds its token at the same place.
    private static void MountServiceAccount(JsonObject spec)
    {
        if (string.IsNullOrEmpty(spec.TextAt("serviceAccountName")))
            spec["serviceAccountName"] = spec.TextAt("serviceAccount") is { Length: > 0 } old ? old : "default";
        spec["serviceAccount"] = spec.TextAt("serviceAccountName");
        const string path = "/var/run/secrets/kubernetes.io/serviceaccount";
        var unmounted = Containers(spec).Where(c => !c["volumeMounts"].Objects().Any(m => m.TextAt("mountPath") == path)).ToArray();
        if (spec.At("automountServiceAccountToken") is JsonValue automount && !automount.GetValue<bool>() || unmounted.Length == 0)
            return;
        var name = $"kube-api-access-{Names.RandomSuffix()}";
        spec.ChildList("volumes").Add(new JsonObject
        {
            ["name"] = name,
            ["projected"] = JsonNode.Parse("""
                {"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},
                {"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},
                {"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}
                """),
        });
        foreach (var container in unmounted)
            container.ChildList("volumeMounts").Add(new JsonObject { ["name"] = name, ["readOnly"] = true, ["mountPath"] = path });
    }

    // The DefaultTolerationSeconds admission plugin.
    private static void Tolerate(JsonObject spec, string taint)
    {
        var tolerations = spec.ChildList("tolerations");
        if (tolerations.Objects().Any(t => (t.TextAt("key") ?? taint) == taint && t.TextAt("effect") is null or "" or "NoExecute"))
            return;
        tolerations.Add(new JsonObject { ["key"] = taint, ["operator"] = "Exists", ["effect"] = "NoExecute", ["tolerationSeconds"] = 300 });
    }

    // qos.ComputePodQOS: only cpu and memory count.
    private static string QualityOf(JsonObject spec)
    {
        var anything = false;
        var guaranteed = true;
        foreach (var resources in Containers(spec).Select(c => c.Child("resources")))
        {
            foreach (var name in (string[])["cpu", "memory"])
            {
                var limit = Positive(resources.TextAt("limits", name));
                var request = Positive(resources.TextAt("requests", name));
                anything |= limit > 0 || request > 0;
                guaranteed &= limit > 0 && limit == request;
            }
        }
        return guaranteed && anything ? "Guaranteed" : anything ? "Burstable" : "BestEffort";
    }

    private static decimal Positive(string? quantity) => quantity is null ? 0 : Quantities.Amount(quantity);
}

/// <summary>Names and parts of names that the server makes up.</summary>
internal static class Names
{
    // apimachinery, util/rand: no vowels, so no words; no digits that look like letters.
    public static string RandomSuffix() => RandomNumberGenerator.GetString("bcdfghjklmnpqrstvwxz2456789", 5);
}
