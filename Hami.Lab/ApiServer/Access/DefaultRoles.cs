using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The cluster roles people count on, and who has them from the start (plugin/pkg/auth/authorizer/rbac/bootstrappolicy); of the big ones what this server keeps.</summary>
internal static class DefaultRoles
{
    private const string Look = """["get","list","watch"]""";
    private const string Change = """["create","delete","deletecollection","patch","update"]""";
    private const string CoreContents = """["configmaps","persistentvolumeclaims","pods","resourcequotas","serviceaccounts","services","endpoints","events","limitranges","namespaces","bindings","pods/log","pods/status","resourcequotas/status","namespaces/status"]""";
    private const string CoreChanges = """["configmaps","events","persistentvolumeclaims","pods","pods/attach","pods/exec","pods/portforward","secrets","serviceaccounts","services"]""";

    private static readonly string View = $$$"""
        {"apiGroups":[""],"resources":{{{CoreContents}}},"verbs":{{{Look}}}},
        {"apiGroups":["apps"],"resources":["deployments","deployments/scale","deployments/status","replicasets","replicasets/scale","replicasets/status"],"verbs":{{{Look}}}},
        {"apiGroups":["batch"],"resources":["jobs","jobs/status"],"verbs":{{{Look}}}},
        {"apiGroups":["events.k8s.io"],"resources":["events"],"verbs":{{{Look}}}}
        """;

    private static readonly string Edit = $$$"""
        {{{View}}},
        {"apiGroups":[""],"resources":["secrets"],"verbs":{{{Look}}}},
        {"apiGroups":[""],"resources":["serviceaccounts"],"verbs":["impersonate"]},
        {"apiGroups":[""],"resources":["serviceaccounts/token","pods/eviction"],"verbs":["create"]},
        {"apiGroups":[""],"resources":{{{CoreChanges}}},"verbs":{{{Change}}}},
        {"apiGroups":["apps"],"resources":["deployments","deployments/scale","replicasets","replicasets/scale"],"verbs":{{{Change}}}},
        {"apiGroups":["batch"],"resources":["jobs"],"verbs":{{{Change}}}},
        {"apiGroups":["coordination.k8s.io"],"resources":["leases"],"verbs":["create","delete","deletecollection","get","list","patch","update","watch"]}
        """;

    private static readonly (string Name, string Rules)[] Roles =
    [
        ("cluster-admin", """{"apiGroups":["*"],"resources":["*"],"verbs":["*"]},{"nonResourceURLs":["*"],"verbs":["*"]}"""),
        ("view", View),
        ("edit", Edit),
        ("admin", $$$"""
            {{{Edit}}},
            {"apiGroups":["authorization.k8s.io"],"resources":["localsubjectaccessreviews"],"verbs":["create"]},
            {"apiGroups":["rbac.authorization.k8s.io"],"resources":["rolebindings","roles"],"verbs":["create","delete","deletecollection","get","list","patch","update","watch"]}
            """),
        ("system:basic-user", """
            {"apiGroups":["authorization.k8s.io"],"resources":["selfsubjectaccessreviews","selfsubjectrulesreviews"],"verbs":["create"]},
            {"apiGroups":["authentication.k8s.io"],"resources":["selfsubjectreviews"],"verbs":["create"]}
            """),
        ("system:discovery", """
            {"nonResourceURLs":["/api","/api/*","/apis","/apis/*","/healthz","/livez","/openapi","/openapi/*","/readyz","/version","/version/"],"verbs":["get"]}
            """),
        ("system:public-info-viewer", """{"nonResourceURLs":["/healthz","/livez","/readyz","/version","/version/"],"verbs":["get"]}"""),
        ("system:auth-delegator", """
            {"apiGroups":["authentication.k8s.io"],"resources":["tokenreviews"],"verbs":["create"]},
            {"apiGroups":["authorization.k8s.io"],"resources":["subjectaccessreviews"],"verbs":["create"]}
            """),
        ("system:node", """
            {"apiGroups":["authentication.k8s.io"],"resources":["tokenreviews"],"verbs":["create"]},
            {"apiGroups":["authorization.k8s.io"],"resources":["subjectaccessreviews","localsubjectaccessreviews"],"verbs":["create"]},
            {"apiGroups":[""],"resources":["nodes"],"verbs":["create","get","list","watch","update","patch"]},
            {"apiGroups":[""],"resources":["nodes/status"],"verbs":["update","patch"]},
            {"apiGroups":[""],"resources":["events"],"verbs":["create","patch","update"]},
            {"apiGroups":[""],"resources":["pods"],"verbs":["create","delete","get","list","watch"]},
            {"apiGroups":[""],"resources":["pods/status"],"verbs":["update","patch"]},
            {"apiGroups":[""],"resources":["pods/eviction","serviceaccounts/token"],"verbs":["create"]},
            {"apiGroups":[""],"resources":["configmaps","secrets"],"verbs":["get","list","watch"]},
            {"apiGroups":["coordination.k8s.io"],"resources":["leases"],"verbs":["create","delete","get","patch","update"]},
            {"apiGroups":["node.k8s.io"],"resources":["runtimeclasses"],"verbs":["get","list","watch"]}
            """),
    ];

    private static readonly (string Role, string[] Groups)[] Bindings =
    [
        ("cluster-admin", [Caller.Masters]), ("system:basic-user", [Caller.Authenticated]), ("system:discovery", [Caller.Authenticated]),
        ("system:public-info-viewer", [Caller.Authenticated, Caller.Unauthenticated]),
    ];

    public static async Task Prepare(ObjectStore store, Func<ApiRequest, JsonObject, Task> create)
    {
        foreach (var (name, rules) in Roles.Where(r => store.Find(Resources.ClusterRoles, "", r.Name) is null))
            await create(new(Resources.ClusterRoles, "", "", ""), new() { ["metadata"] = Metadata(name), ["rules"] = Json.Parse(Encoding.UTF8.GetBytes($"[{rules}]")) });
        foreach (var (role, groups) in Bindings.Where(b => store.Find(Resources.ClusterRoleBindings, "", b.Role) is null))
        {
            await create(new(Resources.ClusterRoleBindings, "", "", ""), new()
            {
                ["metadata"] = Metadata(role),
                ["roleRef"] = new JsonObject { ["apiGroup"] = Resources.RbacGroup, ["kind"] = "ClusterRole", ["name"] = role },
                ["subjects"] = new JsonArray([.. groups.Select(g => new JsonObject { ["kind"] = "Group", ["apiGroup"] = Resources.RbacGroup, ["name"] = g })]),
            });
        }
    }

    private static JsonObject Metadata(string name) => new()
    {
        ["name"] = name,
        ["labels"] = new JsonObject { ["kubernetes.io/bootstrapping"] = "rbac-defaults" },
        ["annotations"] = new JsonObject { ["rbac.authorization.kubernetes.io/autoupdate"] = "true" },
    };
}
