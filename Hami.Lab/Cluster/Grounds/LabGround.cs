using System.Text.Json.Nodes;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>The Kubernetes that a lab stands on: our stand-ins, or a cluster that exists already.</summary>
internal abstract class LabGround : IAsyncDisposable
{
    /// <summary>The kubeconfig file of whoever works on it.</summary>
    public abstract string Kubeconfig { get; }

    public abstract IKubernetes Kubernetes { get; }

    /// <summary>Where the lab's pods go.</summary>
    public abstract string Namespace { get; }

    /// <summary>The name under which the control plane hands pods over to the scheduler that asks its extender.</summary>
    public abstract string SchedulerName { get; }

    /// <summary>This machine as the API server and the scheduler reach it.</summary>
    public virtual string Host => Loopback.Address;

    /// <summary>Where the control plane listens for them.</summary>
    public virtual string Listens => Loopback.Address;

    /// <summary>Where the certificate authority is kept that they were told of.</summary>
    public abstract string AuthorityDirectory { get; }

    /// <summary>By which the lab's nodes can be told from others.</summary>
    public virtual IReadOnlyDictionary<string, string> Labels { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Keeps pods that are not the lab's away from its nodes.</summary>
    public virtual IReadOnlyList<V1Taint> Taints { get; } = [];

    /// <summary>The only namespace whose pods the lab's nodes run; null for all.</summary>
    public virtual string? OnlyNamespace => null;

    /// <summary>A node of the lab as it is called here.</summary>
    public virtual LabNode Named(LabNode node) => node;

    /// <summary>Adds to a pod what it needs to land on the lab's nodes.</summary>
    public virtual void Prepare(JsonObject pod)
    {
        // On our own ground a pod needs nothing.
    }

    /// <summary>Registers the webhook, in place of an earlier start's.</summary>
    public async Task RegisterWebhookAsync(Uri url, string authorityPem, CancellationToken ct)
    {
        var configuration = Webhook(url, authorityPem);
        var known = await Kubernetes.AdmissionregistrationV1.ListMutatingWebhookConfigurationAsync(cancellationToken: ct);
        if (known.Items.Any(other => other.Name() == configuration.Name()))
            await Kubernetes.AdmissionregistrationV1.DeleteMutatingWebhookConfigurationAsync(configuration.Name(), cancellationToken: ct);
        await Kubernetes.AdmissionregistrationV1.CreateMutatingWebhookConfigurationAsync(configuration, cancellationToken: ct);
    }

    /// <summary>Starts a scheduler that asks the extender there; null when the cluster's own does.</summary>
    public abstract Task<IAsyncDisposable?> StartSchedulerAsync(ExtenderOptions extender, CancellationToken ct);

    public abstract ValueTask DisposeAsync();

    protected abstract V1MutatingWebhookConfiguration Webhook(Uri url, string authorityPem);
}
