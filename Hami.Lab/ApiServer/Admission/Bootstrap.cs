using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What every cluster has from its first start, and every namespace from its first moment.</summary>
/// <remarks>
/// In a real cluster the two things of a namespace are a controller's; the API server waits for it a little when a pod needs them.
/// Here the server makes them itself, so that it can be used without controllers; the controller only brings them back.
/// </remarks>
internal static class Bootstrap
{
    private static readonly string[] Namespaces = ["default", "kube-system", "kube-public", "kube-node-lease", "hami"];

    public static async Task Prepare(ObjectStore store, Func<ApiRequest, JsonObject, Task> create)
    {
        foreach (var name in Namespaces)
            await Ensure(store, create, Resources.Namespaces, "", name, new());
        foreach (var (name, value, description) in PriorityClassRules.OfTheSystem)
            await Ensure(store, create, Resources.PriorityClasses, "", name, new() { ["value"] = value, ["description"] = description });
        await DefaultRoles.Prepare(store, create);
        await Tokens.Prepare(store, create);
        // A store of an older lab has namespaces that were made before accounts were.
        foreach (var known in store.List(Resources.Namespaces).Objects.Where(n => n.Body.TextAt("metadata", "deletionTimestamp") is null).ToArray())
            await PrepareNamespace(store, create, known.Name);
    }

    public static async Task PrepareNamespace(ObjectStore store, Func<ApiRequest, JsonObject, Task> create, string name)
    {
        await Ensure(store, create, Resources.ServiceAccounts, name, "default", new());
        await Ensure(store, create, Resources.ConfigMaps, name, "kube-root-ca.crt", new() { ["data"] = new JsonObject { ["ca.crt"] = RootCertificate } });
    }

    /// <summary>The lab speaks plain HTTP on loopback, so there is nothing to trust; the file a pod expects is there and says so.</summary>
    public const string RootCertificate = "# the lab's API server has no certificate\n";

    private static async Task Ensure(ObjectStore store, Func<ApiRequest, JsonObject, Task> create, Resource resource, string @namespace, string name, JsonObject body)
    {
        if (store.Find(resource, @namespace, name) is not null)
            return;
        body["metadata"] = new JsonObject { ["name"] = name };
        await create(new(resource, @namespace, "", ""), body);
    }
}
