using k8s.Models;

namespace Hami.Lab.ApiServer;

/// <summary>Everything this server keeps. A new kind of object is one entry here.</summary>
internal static class Resources
{
    public const string RbacGroup = "rbac.authorization.k8s.io";
    private const string AdmissionGroup = "admissionregistration.k8s.io";
    private const string AuthenticationGroup = "authentication.k8s.io";
    private const string AuthorizationGroup = "authorization.k8s.io";

    // First, for what is below is made in the order of these lines.
    private static readonly Subresource Scale = new("scale", "autoscaling", "v1", "Scale", "get", "patch", "update");

    public static readonly Resource Namespaces = new("", "v1", "namespaces", "Namespace", typeof(V1Namespace))
    {
        Namespaced = false, ShortNames = ["ns"], HasStatus = true, AnswersDeleted = true, Rules = new NamespaceRules(), Table = Tables.Namespaces,
        Subresources = [new("finalize", "", "", "Namespace", "update")],
    };

    public static readonly Resource Nodes = new("", "v1", "nodes", "Node", typeof(V1Node))
    {
        Namespaced = false, ShortNames = ["no"], HasStatus = true, StatusCarriesMetadata = true, Rules = new NodeRules(), Table = NodeTable.Table,
    };

    public static readonly Resource Pods = new("", "v1", "pods", "Pod", typeof(V1Pod))
    {
        ShortNames = ["po"], Categories = ["all"], HasStatus = true, StatusCarriesMetadata = true, CountsGenerations = true, AnswersDeleted = true,
        Rules = new PodRules(), Table = PodTable.Table,
        Subresources =
        [
            new("attach", "", "", "PodAttachOptions", "create", "get"),
            new("binding", "", "", "Binding", "create"),
            new("eviction", "policy", "v1", "Eviction", "create"),
            new("exec", "", "", "PodExecOptions", "create", "get"),
            new("log", "", "", "Pod", "get"),
            new("portforward", "", "", "PodPortForwardOptions", "create", "get"),
        ],
    };

    public static readonly Resource Events = new("", "v1", "events", "Event", typeof(Corev1Event))
    {
        ShortNames = ["ev"], Rules = new EventRules(), Table = EventTable.Table,
    };

    // The newer face of the same objects: kube-scheduler writes these, kubectl reads the core ones.
    public static readonly Resource NewEvents = new("events.k8s.io", "v1", "events", "Event", typeof(Eventsv1Event))
    {
        ShortNames = ["ev"], Rules = new NewEventRules(), Table = EventTable.Table, StoredAs = Events,
    };

    public static readonly Resource RuntimeClasses = new("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", typeof(V1RuntimeClass))
    {
        Namespaced = false, UnconditionalUpdate = false, Rules = new RuntimeClassRules(), Table = Tables.RuntimeClasses,
    };

    public static readonly Resource MutatingWebhooks =
        new(AdmissionGroup, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", typeof(V1MutatingWebhookConfiguration))
        {
            Namespaced = false, CountsGenerations = true, UnconditionalUpdate = false, Rules = new WebhookRules(mutating: true), Table = Tables.Webhooks,
        };

    public static readonly Resource ValidatingWebhooks =
        new(AdmissionGroup, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", typeof(V1ValidatingWebhookConfiguration))
        {
            Namespaced = false, CountsGenerations = true, UnconditionalUpdate = false, Rules = new WebhookRules(mutating: false), Table = Tables.Webhooks,
        };

    public static readonly Resource ResourceQuotas = new("", "v1", "resourcequotas", "ResourceQuota", typeof(V1ResourceQuota))
    {
        ShortNames = ["quota"], HasStatus = true, AnswersDeleted = true, Rules = new QuotaRules(), Table = Tables.ResourceQuotas,
    };

    public static readonly Resource ServiceAccounts = new("", "v1", "serviceaccounts", "ServiceAccount", typeof(V1ServiceAccount))
    {
        ShortNames = ["sa"], AnswersDeleted = true, Table = Tables.ServiceAccounts,
        Subresources = [new("token", "authentication.k8s.io", "v1", "TokenRequest", "create")],
    };

    public static readonly Resource Secrets = new("", "v1", "secrets", "Secret", typeof(V1Secret)) { Rules = new SecretRules(), Table = Tables.Secrets };

    public static readonly Resource ConfigMaps = new("", "v1", "configmaps", "ConfigMap", typeof(V1ConfigMap))
    {
        ShortNames = ["cm"], Rules = new ConfigMapRules(), Table = Tables.ConfigMaps,
    };

    public static readonly Resource Deployments = new("apps", "v1", "deployments", "Deployment", typeof(V1Deployment))
    {
        ShortNames = ["deploy"], Categories = ["all"], HasStatus = true, StatusCarriesMetadata = true, CountsGenerations = true, Rules = new DeploymentRules(),
        Table = WorkloadTables.Deployments, Subresources = [Scale],
    };

    public static readonly Resource ReplicaSets = new("apps", "v1", "replicasets", "ReplicaSet", typeof(V1ReplicaSet))
    {
        ShortNames = ["rs"], Categories = ["all"], HasStatus = true, StatusCarriesMetadata = true, CountsGenerations = true, Rules = new ReplicaSetRules(),
        Table = WorkloadTables.ReplicaSets, Subresources = [Scale],
    };

    public static readonly Resource Jobs = new("batch", "v1", "jobs", "Job", typeof(V1Job))
    {
        Categories = ["all"], HasStatus = true, StatusCarriesMetadata = true, CountsGenerations = true, Rules = new JobRules(), Table = WorkloadTables.Jobs,
    };

    public static readonly Resource PriorityClasses = new("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", typeof(V1PriorityClass))
    {
        Namespaced = false, ShortNames = ["pc"], CountsGenerations = true, Rules = new PriorityClassRules(), Table = Tables.PriorityClasses,
    };

    public static readonly Resource Roles = new(RbacGroup, "v1", "roles", "Role", typeof(V1Role)) { Rules = new RoleRules() };

    public static readonly Resource ClusterRoles = new(RbacGroup, "v1", "clusterroles", "ClusterRole", typeof(V1ClusterRole)) { Namespaced = false, Rules = new RoleRules() };

    public static readonly Resource RoleBindings = new(RbacGroup, "v1", "rolebindings", "RoleBinding", typeof(V1RoleBinding))
    {
        Rules = new BindingRules(), Table = Tables.Bindings,
    };

    public static readonly Resource ClusterRoleBindings = new(RbacGroup, "v1", "clusterrolebindings", "ClusterRoleBinding", typeof(V1ClusterRoleBinding))
    {
        Namespaced = false, Rules = new BindingRules(), Table = Tables.Bindings,
    };

    public static readonly Resource[] All =
    [
        ConfigMaps,
        Events,
        Namespaces,
        Nodes,
        Pods,
        ResourceQuotas,
        Secrets,
        ServiceAccounts,
        MutatingWebhooks,
        ValidatingWebhooks,
        Deployments,
        ReplicaSets,
        Jobs,
        new("coordination.k8s.io", "v1", "leases", "Lease", typeof(V1Lease)) { UnconditionalUpdate = false, Rules = new LeaseRules(), Table = Tables.Leases },
        NewEvents,
        RuntimeClasses,
        ClusterRoleBindings,
        ClusterRoles,
        RoleBindings,
        Roles,
        PriorityClasses,
    ];

    /// <summary>What is only ever created, and answered instead of kept.</summary>
    public static readonly Resource[] Asked =
    [
        new("", "v1", "bindings", "Binding", typeof(V1Binding)) { Verbs = ["create"] },
        new(AuthenticationGroup, "v1", "selfsubjectreviews", "SelfSubjectReview", typeof(V1SelfSubjectReview)) { Namespaced = false, Verbs = ["create"] },
        new(AuthenticationGroup, "v1", "tokenreviews", "TokenReview", typeof(V1TokenReview)) { Namespaced = false, Verbs = ["create"] },
        new(AuthorizationGroup, "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", typeof(V1LocalSubjectAccessReview)) { Verbs = ["create"] },
        new(AuthorizationGroup, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", typeof(V1SelfSubjectAccessReview)) { Namespaced = false, Verbs = ["create"] },
        new(AuthorizationGroup, "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", typeof(V1SelfSubjectRulesReview)) { Namespaced = false, Verbs = ["create"] },
        new(AuthorizationGroup, "v1", "subjectaccessreviews", "SubjectAccessReview", typeof(V1SubjectAccessReview)) { Namespaced = false, Verbs = ["create"] },
    ];

    /// <summary>Everything a client can name, in the order of its lists.</summary>
    public static readonly Resource[] Served = [.. All.Concat(Asked).OrderBy(r => r.Group, StringComparer.Ordinal).ThenBy(r => r.Plural, StringComparer.Ordinal)];

    public static Resource? Find(string group, string version, string plural) =>
        Array.Find(Served, r => r.Group == group && r.Version == version && r.Plural == plural);
}
