using k8s.Models;

namespace Hami.Lab.ApiServer;

/// <summary>Everything this server keeps. A new kind of object is one entry here.</summary>
internal static class Resources
{
    private const string AdmissionGroup = "admissionregistration.k8s.io";

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
        ShortNames = ["ev"], Table = EventTable.Table,
    };

    // The newer face of the same objects: kube-scheduler writes these, kubectl reads the core ones.
    public static readonly Resource NewEvents = new("events.k8s.io", "v1", "events", "Event", typeof(Eventsv1Event))
    {
        ShortNames = ["ev"], Table = EventTable.Table, StoredAs = Events,
    };

    public static readonly Resource RuntimeClasses = new("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", typeof(V1RuntimeClass))
    {
        Namespaced = false, UnconditionalUpdate = false, Table = Tables.RuntimeClasses,
    };

    public static readonly Resource MutatingWebhooks =
        new(AdmissionGroup, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", typeof(V1MutatingWebhookConfiguration))
        {
            Namespaced = false, CountsGenerations = true, UnconditionalUpdate = false, Rules = new WebhookRules(), Table = Tables.Webhooks,
        };

    public static readonly Resource ValidatingWebhooks =
        new(AdmissionGroup, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", typeof(V1ValidatingWebhookConfiguration))
        {
            Namespaced = false, CountsGenerations = true, UnconditionalUpdate = false, Rules = new WebhookRules(), Table = Tables.Webhooks,
        };

    public static readonly Resource[] All =
    [
        new("", "v1", "configmaps", "ConfigMap", typeof(V1ConfigMap)) { ShortNames = ["cm"], Table = Tables.ConfigMaps },
        Events,
        Namespaces,
        Nodes,
        Pods,
        new("", "v1", "resourcequotas", "ResourceQuota", typeof(V1ResourceQuota))
        {
            ShortNames = ["quota"], HasStatus = true, AnswersDeleted = true, Rules = new StatusStartsEmptyRules(), Table = Tables.ResourceQuotas,
        },
        new("", "v1", "secrets", "Secret", typeof(V1Secret)) { Rules = new SecretRules(), Table = Tables.Secrets },
        new("", "v1", "serviceaccounts", "ServiceAccount", typeof(V1ServiceAccount)) { ShortNames = ["sa"], AnswersDeleted = true, Table = Tables.ServiceAccounts },
        MutatingWebhooks,
        ValidatingWebhooks,
        new("coordination.k8s.io", "v1", "leases", "Lease", typeof(V1Lease)) { UnconditionalUpdate = false, Table = Tables.Leases },
        NewEvents,
        RuntimeClasses,
    ];

    public static Resource? Find(string group, string version, string plural) =>
        Array.Find(All, r => r.Group == group && r.Version == version && r.Plural == plural);
}
