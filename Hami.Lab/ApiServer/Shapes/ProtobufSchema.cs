namespace Hami.Lab.ApiServer;

/// <summary>A field of a protobuf message: its JSON name and what it holds.</summary>
/// <param name="Type">A message's name, or <c>string</c>, <c>bytes</c>, <c>int</c>, <c>bool</c>.</param>
/// <param name="KeepsZero">Whether zero, false or empty means something: Go writes those of plain fields even if nobody set them.</param>
internal sealed record ProtobufField(string Name, string Type, bool Repeated, bool Map, bool KeepsZero);

/// <summary>The messages kubectl's own commands send, as far as those commands fill them in.</summary>
/// <remarks>Field numbers from the generated.proto files of k8s.io/api. A field is <c>name number type</c>; <c>[]</c> is a list, <c>{}</c> a map, <c>?</c> a pointer in Go.</remarks>
internal static class ProtobufSchema
{
    private const string Text = """
        ObjectMeta: name 1 string, generateName 2 string, namespace 3 string, uid 5 string, resourceVersion 6 string, labels 11 {}string, annotations 12 {}string, ownerReferences 13 []OwnerReference, finalizers 14 []string
        OwnerReference: kind 1 string, name 3 string, uid 4 string, apiVersion 5 string, controller 6 bool?, blockOwnerDeletion 7 bool?
        LabelSelector: matchLabels 1 {}string, matchExpressions 2 []LabelSelectorRequirement
        LabelSelectorRequirement: key 1 string, operator 2 string, values 3 []string
        Namespace: metadata 1 ObjectMeta
        ServiceAccount: metadata 1 ObjectMeta
        ConfigMap: metadata 1 ObjectMeta, data 2 {}string, binaryData 3 {}bytes
        Secret: metadata 1 ObjectMeta, data 2 {}bytes, type 3 string, stringData 4 {}string
        ResourceQuota: metadata 1 ObjectMeta, spec 2 ResourceQuotaSpec
        ResourceQuotaSpec: hard 1 {}Quantity, scopes 2 []string
        Quantity: string 1 string
        Pod: metadata 1 ObjectMeta, spec 2 PodSpec
        PodTemplateSpec: metadata 1 ObjectMeta, spec 2 PodSpec
        PodSpec: containers 2 []Container, restartPolicy 3 string, terminationGracePeriodSeconds 4 int?, activeDeadlineSeconds 5 int?, dnsPolicy 6 string, nodeSelector 7 {}string, serviceAccountName 8 string, serviceAccount 9 string, nodeName 10 string, hostNetwork 11 bool, schedulerName 19 string, initContainers 20 []Container, priorityClassName 24 string, runtimeClassName 29 string
        Container: name 1 string, image 2 string, command 3 []string, args 4 []string, workingDir 5 string, ports 6 []ContainerPort, env 7 []EnvVar, resources 8 ResourceRequirements, terminationMessagePath 13 string, imagePullPolicy 14 string, stdin 16 bool, stdinOnce 17 bool, tty 18 bool, terminationMessagePolicy 20 string
        ContainerPort: name 1 string, hostPort 2 int, containerPort 3 int, protocol 4 string, hostIP 5 string
        EnvVar: name 1 string, value 2 string
        ResourceRequirements: limits 1 {}Quantity, requests 2 {}Quantity
        Deployment: metadata 1 ObjectMeta, spec 2 DeploymentSpec
        DeploymentSpec: replicas 1 int?, selector 2 LabelSelector, template 3 PodTemplateSpec, strategy 4 DeploymentStrategy, minReadySeconds 5 int, revisionHistoryLimit 6 int?, paused 7 bool, progressDeadlineSeconds 9 int?
        DeploymentStrategy: type 1 string
        Job: metadata 1 ObjectMeta, spec 2 JobSpec
        JobSpec: parallelism 1 int?, completions 2 int?, activeDeadlineSeconds 3 int?, selector 4 LabelSelector, manualSelector 5 bool?, template 6 PodTemplateSpec, backoffLimit 7 int?, ttlSecondsAfterFinished 8 int?, completionMode 9 string, suspend 10 bool?
        PriorityClass: metadata 1 ObjectMeta, value 2 int?, globalDefault 3 bool, description 4 string, preemptionPolicy 5 string
        PolicyRule: verbs 1 []string, apiGroups 2 []string, resources 3 []string, resourceNames 4 []string, nonResourceURLs 5 []string
        Role: metadata 1 ObjectMeta, rules 2 []PolicyRule
        ClusterRole: metadata 1 ObjectMeta, rules 2 []PolicyRule
        Subject: kind 1 string, apiGroup 2 string, name 3 string, namespace 4 string
        RoleRef: apiGroup 1 string, kind 2 string, name 3 string
        RoleBinding: metadata 1 ObjectMeta, subjects 2 []Subject, roleRef 3 RoleRef
        ClusterRoleBinding: metadata 1 ObjectMeta, subjects 2 []Subject, roleRef 3 RoleRef
        Eviction: metadata 1 ObjectMeta, deleteOptions 2 DeleteOptions
        DeleteOptions: gracePeriodSeconds 1 int?, preconditions 2 Preconditions, orphanDependents 3 bool?, propagationPolicy 4 string, dryRun 5 []string
        Preconditions: uid 1 string, resourceVersion 2 string
        ResourceAttributes: namespace 1 string, verb 2 string, group 3 string, version 4 string, resource 5 string, subresource 6 string, name 7 string
        NonResourceAttributes: path 1 string, verb 2 string
        SelfSubjectAccessReview: metadata 1 ObjectMeta, spec 2 SelfSubjectAccessReviewSpec
        SelfSubjectAccessReviewSpec: resourceAttributes 1 ResourceAttributes, nonResourceAttributes 2 NonResourceAttributes
        SubjectAccessReview: metadata 1 ObjectMeta, spec 2 SubjectAccessReviewSpec
        LocalSubjectAccessReview: metadata 1 ObjectMeta, spec 2 SubjectAccessReviewSpec
        SubjectAccessReviewSpec: resourceAttributes 1 ResourceAttributes, nonResourceAttributes 2 NonResourceAttributes, user 3 string, groups 4 []string, uid 6 string
        SelfSubjectRulesReview: metadata 1 ObjectMeta, spec 2 SelfSubjectRulesReviewSpec
        SelfSubjectRulesReviewSpec: namespace 1 string
        SelfSubjectReview: metadata 1 ObjectMeta
        TokenReview: metadata 1 ObjectMeta, spec 2 TokenReviewSpec
        TokenReviewSpec: token 1 string, audiences 2 []string
        TokenRequest: metadata 1 ObjectMeta, spec 2 TokenRequestSpec
        TokenRequestSpec: audiences 1 []string, boundObjectRef 3 BoundObjectReference, expirationSeconds 4 int?
        BoundObjectReference: kind 1 string, apiVersion 2 string, name 3 string, uid 4 string
        """;

    private static readonly Dictionary<string, Dictionary<int, ProtobufField>> Messages = Text.Split('\n').Select(l => l.Trim().Split(": ", 2)).ToDictionary(
        m => m[0], m => m[1].Split(", ").Select(f => f.Split(' ')).ToDictionary(f => int.Parse(f[1]), f => Field(f[0], f[2])), StringComparer.Ordinal);

    /// <summary>The fields of a message by number; null for a kind whose client would have to be told to speak JSON.</summary>
    public static IReadOnlyDictionary<int, ProtobufField>? Find(string message) => Messages.GetValueOrDefault(message);

    private static ProtobufField Field(string name, string type) =>
        new(name, type.Trim('[', ']', '{', '}', '?'), type.StartsWith('['), type.StartsWith('{'), type.EndsWith('?'));
}
