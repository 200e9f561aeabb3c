using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>pods/binding: the node, the Binding's annotations and labels, and the PodScheduled condition in one write (BindingREST).</summary>
internal sealed class Bindings(ObjectStore store, Webhooks webhooks, TimeProvider time)
{
    public async Task Bind(string @namespace, string pod, JsonObject binding, WriteOptions options)
    {
        var metadata = binding.MapAt("metadata");
        if (metadata.TextAt("name") is { Length: > 0 } name && name != pod)
            throw KubernetesError.BadRequest("name in URL does not match name in Binding object");
        if (metadata.TextAt("namespace") is { Length: > 0 } own && own != @namespace)
            throw KubernetesError.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        if (binding.TextAt("target", "kind") is { Length: > 0 } kind and not "Node")
            throw new KubernetesError(500, "", $"target.kind: {Cause.Unsupported("target.kind", kind, "Node", "<empty>").Message}");
        if (binding.TextAt("target", "name") is not { Length: > 0 } node)
            throw new KubernetesError(500, "", "target.name: Required value");

        var call = new AdmissionCall(Resources.Pods, "binding", "CREATE", @namespace, pod, options.ToObject(), options.DryRun) { Kind = "Binding", Object = binding };
        await webhooks.Mutate(call, _ => { });
        await webhooks.Validate(call);
        options.Warnings.AddRange(call.Warnings);
        while (true)
        {
            var current = store.Get(Resources.Pods, @namespace, pod);
            Check(current, metadata);
            if (store.TryWrite(Resources.Pods, Bound(current, call.Object, call.Object.TextAt("target", "name") ?? node), current, options.DryRun) is not null)
                return;
        }
    }

    private static void Check(Stored pod, JsonObject? asked)
    {
        if (asked.TextAt("uid") is { Length: > 0 } uid && uid != pod.Uid)
            throw KubernetesError.FailedPrecondition(Resources.Pods, pod.Namespace, pod.Name, "UID", uid, pod.Uid);
        if (asked.TextAt("resourceVersion") is { Length: > 0 } revision && revision != pod.Revision.ToString())
            throw KubernetesError.FailedPrecondition(Resources.Pods, pod.Namespace, pod.Name, "ResourceVersion", revision, pod.Revision.ToString());
        if (pod.Body.TextAt("metadata", "deletionTimestamp") is not null)
            throw Conflict(pod, $"pod {pod.Name} is being deleted, cannot be assigned to a host");
        if (pod.Body.TextAt("spec", "nodeName") is { Length: > 0 } node)
            throw Conflict(pod, $"pod {pod.Name} is already assigned to node \"{node}\"");
        if (pod.Body.ListAt("spec", "schedulingGates") is { Count: > 0 })
            throw Conflict(pod, $"pod {pod.Name} has non-empty .spec.schedulingGates");
    }

    private static KubernetesError Conflict(Stored pod, string why) => KubernetesError.Conflict(Resources.Pods, pod.Name, why, "binding");

    private JsonObject Bound(Stored pod, JsonObject binding, string node)
    {
        var body = Json.Copy(pod.Body);
        body.Child("spec")["nodeName"] = node;
        foreach (var name in (string[])["annotations", "labels"])
        {
            foreach (var (key, value) in binding.MapAt("metadata", name) ?? [])
                body.Child("metadata").Child(name)[key] = value?.DeepClone();
        }
        var status = body.Child("status");
        status.Remove("nominatedNodeName");
        var conditions = status.ChildList("conditions");
        foreach (var old in conditions.Objects().Where(c => c.TextAt("type") is "PodScheduled").ToArray())
            conditions.Remove(old);
        conditions.Add(new JsonObject
        {
            ["type"] = "PodScheduled",
            ["status"] = "True",
            ["lastProbeTime"] = null,
            ["lastTransitionTime"] = Ages.Stamp(time.GetUtcNow()),
        });
        return body;
    }
}
