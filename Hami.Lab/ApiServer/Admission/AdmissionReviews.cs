using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The envelope a webhook is called with, field by field as kube-apiserver 1.36 posts it.</summary>
internal static class AdmissionReviews
{
    public static JsonObject Make(AdmissionCall call, string version, string uid)
    {
        var request = new JsonObject { ["uid"] = uid, ["kind"] = Kind(call), ["resource"] = Names(call) };
        if (call.Subresource.Length > 0)
            request["subResource"] = call.Subresource;
        request["requestKind"] = Kind(call);
        request["requestResource"] = Names(call);
        if (call.Subresource.Length > 0)
            request["requestSubResource"] = call.Subresource;
        if (call.Name.Length > 0)
            request["name"] = call.Name;
        if (call.Namespace.Length > 0)
            request["namespace"] = call.Namespace;
        request["operation"] = call.Operation;
        request["userInfo"] = call.Caller.ToInfo();
        request["object"] = Typed(call.Object, call);
        request["oldObject"] = Typed(call.OldObject, call);
        request["dryRun"] = call.DryRun;
        request["options"] = call.Options.DeepClone();
        return new() { ["kind"] = "AdmissionReview", ["apiVersion"] = $"admission.k8s.io/{version}", ["request"] = request };
    }

    private static JsonObject Kind(AdmissionCall call) =>
        new() { ["group"] = call.Resource.Group, ["version"] = call.Resource.Version, ["kind"] = call.Kind };

    private static JsonObject Names(AdmissionCall call) =>
        new() { ["group"] = call.Resource.Group, ["version"] = call.Resource.Version, ["resource"] = call.Resource.Plural };

    private static JsonObject? Typed(JsonObject? body, AdmissionCall call)
    {
        if (body is null)
            return null;
        var typed = new JsonObject { ["kind"] = call.Kind, ["apiVersion"] = call.Resource.ApiVersion };
        foreach (var (name, value) in body)
            typed.Put(name, value);
        return typed;
    }
}
