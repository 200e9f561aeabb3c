using System.Net;
using System.Security.Cryptography;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>What a lab leaves in a cluster that is not its own: each thing is labelled with the lab's name, so that all of it can be removed.</summary>
internal sealed class Footprint
{
    /// <summary>The label on everything a lab makes in a cluster that is not its own; its value is the lab's name.</summary>
    public const string Label = "hami.io/lab";

    private const string Prefix = "hami-lab-";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private Footprint(string name) => Name = name;

    /// <summary>The lab's name: its namespace and webhook are called so, and its nodes begin with it.</summary>
    public string Name { get; }

    /// <summary>A directory's footprint keeps its name, so that a lab that continues finds its pods.</summary>
    public static Footprint Of(LabPaths paths)
    {
        var file = Path.Combine(paths.Root, "footprint");
        if (!File.Exists(file))
            File.WriteAllText(file, $"{Prefix}{RandomNumberGenerator.GetHexString(5, lowercase: true)}");
        return new(File.ReadAllText(file).Trim());
    }

    /// <summary>Makes the namespace; returns once pods can be created in it.</summary>
    public async Task MakeNamespaceAsync(IKubernetes kubernetes, CancellationToken ct)
    {
        var known = await kubernetes.CoreV1.ListNamespaceAsync(labelSelector: $"{Label}={Name}", cancellationToken: ct);
        if (known.Items.Count == 0)
        {
            await kubernetes.CoreV1.CreateNamespaceAsync(
                new V1Namespace { Metadata = new() { Name = Name, Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [Label] = Name } } },
                cancellationToken: ct);
        }

        // The service account admission refuses pods until a controller, or somebody in its place, has made this one.
        await OrAlreadyThere(() => kubernetes.CoreV1.CreateNamespacedServiceAccountAsync(
            new V1ServiceAccount { Metadata = new() { Name = "default" } }, Name, cancellationToken: ct));
    }

    /// <summary>Removes everything that any lab made there and returns in words what it was.</summary>
    public static async Task<IReadOnlyList<string>> RemoveAllAsync(IKubernetes kubernetes, CancellationToken ct)
    {
        var names = (await kubernetes.CoreV1.ListNodeAsync(labelSelector: Label, cancellationToken: ct)).Items.Select(NameOf)
            .Concat((await kubernetes.CoreV1.ListNamespaceAsync(labelSelector: Label, cancellationToken: ct)).Items.Select(NameOf))
            .Concat((await kubernetes.AdmissionregistrationV1.ListMutatingWebhookConfigurationAsync(labelSelector: Label, cancellationToken: ct)).Items.Select(NameOf))
            .Distinct(StringComparer.Ordinal).ToList();
        var removed = new List<string>();
        foreach (var name in names)
            removed.AddRange(await new Footprint(name).RemoveAsync(kubernetes, ct));
        return removed;

        static string NameOf(IKubernetesObject<V1ObjectMeta> made) => made.Metadata.Labels[Label];
    }

    /// <summary>Removes everything of this lab, waits until it is gone, and returns in words what it was.</summary>
    /// <exception cref="TimeoutException">Something does not go away; the message says what.</exception>
    public async Task<IReadOnlyList<string>> RemoveAsync(IKubernetes kubernetes, CancellationToken ct)
    {
        var removed = new List<string>();
        // The webhook first: nothing of ours answers it any more.
        foreach (var webhook in Ours(await kubernetes.AdmissionregistrationV1.ListMutatingWebhookConfigurationAsync(labelSelector: Mine, cancellationToken: ct)))
        {
            await OrGone(() => kubernetes.AdmissionregistrationV1.DeleteMutatingWebhookConfigurationAsync(webhook.Name(), cancellationToken: ct));
            removed.Add($"mutatingwebhookconfiguration/{webhook.Name()}");
        }

        foreach (var @namespace in Ours(await kubernetes.CoreV1.ListNamespaceAsync(labelSelector: Mine, cancellationToken: ct)))
        {
            // Their kubelets may be gone, so nobody would confirm a graceful end.
            await kubernetes.CoreV1.DeleteCollectionNamespacedPodAsync(@namespace.Name(), gracePeriodSeconds: 0, cancellationToken: ct);
            await OrGone(() => kubernetes.CoreV1.DeleteNamespaceAsync(@namespace.Name(), cancellationToken: ct));
            removed.Add($"namespace/{@namespace.Name()}");
        }

        foreach (var node in Ours(await kubernetes.CoreV1.ListNodeAsync(labelSelector: Mine, cancellationToken: ct)))
        {
            await OrGone(() => kubernetes.CoreV1.DeleteNodeAsync(node.Name(), cancellationToken: ct));
            await OrGone(() => kubernetes.CoordinationV1.DeleteNamespacedLeaseAsync(node.Name(), "kube-node-lease", cancellationToken: ct));
            await kubernetes.CoreV1.DeleteCollectionNamespacedEventAsync(
                "default", fieldSelector: $"involvedObject.kind=Node,involvedObject.name={node.Name()}", cancellationToken: ct);
            removed.Add($"node/{node.Name()} with its lease and events");
        }

        await UntilGoneAsync(kubernetes, ct);
        return removed;
    }

    private string Mine => $"{Label}={Name}";

    // The label alone is not enough: what somebody else called by our label keeps its own name.
    private List<T> Ours<T>(IItems<T> labelled)
        where T : IKubernetesObject<V1ObjectMeta> =>
        [.. labelled.Items.Where(made => Name.StartsWith(Prefix, StringComparison.Ordinal)
            && (made.Name() == Name || made.Name().StartsWith($"{Name}-", StringComparison.Ordinal)))];

    private async Task UntilGoneAsync(IKubernetes kubernetes, CancellationToken ct)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        try
        {
            while (Ours(await kubernetes.CoreV1.ListNamespaceAsync(labelSelector: Mine, cancellationToken: patience.Token)).Count > 0)
                await Task.Delay(200, patience.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"The namespace {Name} has been deleted but is still there after {Patience.TotalSeconds:F0} s: the cluster's namespace controller may not be running. Look at it with: kubectl get namespace {Name} -o yaml", e);
        }
    }

    private static async Task OrGone(Func<Task> delete)
    {
        try
        {
            await delete();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
        {
            // Gone already, or going.
        }
    }

    private static async Task OrAlreadyThere(Func<Task> create)
    {
        try
        {
            await create();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Conflict)
        {
            // The controller was faster.
        }
    }
}
