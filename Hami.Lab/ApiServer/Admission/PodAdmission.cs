using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The admission plugins every kube-apiserver runs over a new pod before it asks webhooks, in their order.</summary>
internal static class PodAdmission
{
    private const string TokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";

    public static void Admit(JsonObject pod, ObjectStore store)
    {
        var spec = pod.Child("spec");
        UseServiceAccount(pod, spec, store);
        Prioritise(pod, spec, store);
        Tolerate(spec, "node.kubernetes.io/not-ready");
        Tolerate(spec, "node.kubernetes.io/unreachable");
        UseRuntimeClass(pod, spec, store);
    }

    /// <summary>What of the same is asked once more, since a webhook may have changed the pod.</summary>
    public static void Review(JsonObject pod, ObjectStore store)
    {
        var spec = pod.Child("spec");
        Prioritise(pod, spec, store);
        UseRuntimeClass(pod, spec, store);
    }

    // The ServiceAccount plugin: every pod finds its token at the same place.
    private static void UseServiceAccount(JsonObject pod, JsonObject spec, ObjectStore store)
    {
        if (string.IsNullOrEmpty(spec.TextAt("serviceAccountName")))
            spec["serviceAccountName"] = spec.TextAt("serviceAccount") is { Length: > 0 } old ? old : "default";
        var name = spec.TextAt("serviceAccountName")!;
        spec["serviceAccount"] = name;
        var @namespace = pod.TextAt("metadata", "namespace");
        var account = store.Find(Resources.ServiceAccounts, @namespace, name)
            ?? throw Forbidden(pod, $"error looking up service account {@namespace}/{name}: serviceaccount \"{name}\" not found");
        if (spec["imagePullSecrets"] is not JsonArray { Count: > 0 } && account.Body["imagePullSecrets"] is JsonArray { Count: > 0 } secrets)
            spec["imagePullSecrets"] = secrets.DeepClone();
        var unmounted = PodRules.Containers(spec).Where(c => !c["volumeMounts"].Objects().Any(m => m.TextAt("mountPath") == TokenPath)).ToArray();
        if (!(Flag(spec) ?? Flag(account.Body) ?? true) || unmounted.Length == 0)
            return;
        var volume = $"kube-api-access-{Names.RandomSuffix()}";
        spec.ChildList("volumes").Add(new JsonObject
        {
            ["name"] = volume,
            ["projected"] = Json.Parse("""
                {"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},
                {"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},
                {"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}
                """u8),
        });
        foreach (var container in unmounted)
            container.ChildList("volumeMounts").Add(new JsonObject { ["name"] = volume, ["readOnly"] = true, ["mountPath"] = TokenPath });
    }

    private static bool? Flag(JsonObject owner) => owner.At("automountServiceAccountToken") is JsonValue value ? value.GetValue<bool>() : null;

    // The Priority plugin.
    private static void Prioritise(JsonObject pod, JsonObject spec, ObjectStore store)
    {
        var name = spec.TextAt("priorityClassName") ?? "";
        var @class = name.Length > 0
            ? store.Find(Resources.PriorityClasses, "", name)?.Body ?? throw Forbidden(pod, $"no PriorityClass with name {name} was found")
            : Default(store);
        if (name.Length == 0 && @class is not null)
            spec["priorityClassName"] = @class.TextAt("metadata", "name");
        var priority = @class.NumberAt("value") ?? 0;
        if (spec.NumberAt("priority") is { } own && own != priority)
            throw Forbidden(pod, $"the integer value of priority ({own}) must not be provided in pod spec; priority admission controller computed {priority} from the given PriorityClass name");
        spec["priority"] = priority;
        var policy = @class.TextAt("preemptionPolicy") ?? "PreemptLowerPriority";
        if (spec.TextAt("preemptionPolicy") is { Length: > 0 } asked && asked != policy)
        {
            throw Forbidden(pod, $"the string value of PreemptionPolicy ({asked}) must not be provided in pod spec; "
                + $"priority admission controller computed {policy} from the given PriorityClass name");
        }
        spec["preemptionPolicy"] = policy;
    }

    private static JsonObject? Default(ObjectStore store) =>
        store.List(Resources.PriorityClasses).Objects.Select(c => c.Body).Where(c => c.FlagAt("globalDefault")).MinBy(c => c.NumberAt("value"));

    // The DefaultTolerationSeconds plugin.
    private static void Tolerate(JsonObject spec, string taint)
    {
        var tolerations = spec.ChildList("tolerations");
        if (tolerations.Objects().Any(t => (t.TextAt("key") ?? taint) == taint && t.TextAt("effect") is null or "" or "NoExecute"))
            return;
        tolerations.Add(new JsonObject { ["key"] = taint, ["operator"] = "Exists", ["effect"] = "NoExecute", ["tolerationSeconds"] = 300 });
    }

    // The RuntimeClass plugin: what a class costs and where it can run becomes the pod's own.
    private static void UseRuntimeClass(JsonObject pod, JsonObject spec, ObjectStore store)
    {
        if (spec.TextAt("runtimeClassName") is not { Length: > 0 } name)
        {
            if (spec["overhead"] is JsonObject { Count: > 0 })
                throw Forbidden(pod, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
            return;
        }
        var @class = store.Find(Resources.RuntimeClasses, "", name)?.Body ?? throw Forbidden(pod, $"pod rejected: RuntimeClass \"{name}\" not found");
        var overhead = @class.MapAt("overhead", "podFixed");
        if (spec["overhead"] is JsonObject { Count: > 0 } own && !Json.Same(own, overhead))
            throw Forbidden(pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        spec.Put("overhead", overhead);
        foreach (var (label, value) in @class.MapAt("scheduling", "nodeSelector") ?? [])
        {
            var selector = spec.Child("nodeSelector");
            if (selector.TextAt(label) is { } other && other != value!.GetValue<string>())
                throw Forbidden(pod, "pod rejected: conflict: runtimeClass.scheduling.nodeSelector" + $"[{label}] = {value}; pod.spec.nodeSelector[{label}] = {other}");
            selector[label] = value!.DeepClone();
        }
        foreach (var toleration in @class.ListAt("scheduling", "tolerations").Objects())
        {
            if (!spec["tolerations"].Objects().Any(t => Json.Same(t, toleration)))
                spec.ChildList("tolerations").Add(toleration.DeepClone());
        }
    }

    // The name is made up only after this; until then a refusal names what it would begin with.
    private static KubernetesError Forbidden(JsonObject pod, string why) =>
        KubernetesError.Forbidden(Resources.Pods, pod.TextAt("metadata", "name") ?? pod.TextAt("metadata", "generateName") ?? "", why);
}
