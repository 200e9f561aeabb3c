using Hami.Lab.ApiServer;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Brings back what every namespace has: the account <c>default</c> and the certificate of the API server.</summary>
/// <remarks>What ends a namespace is the stand-in API server's own work: it empties it in the same step in which it marks it.</remarks>
internal sealed class NamespaceContents
{
    private const string Account = "default";
    private const string Certificate = "kube-root-ca.crt";
    private readonly IKubernetes _kubernetes;
    private readonly Informer<V1Namespace> _namespaces;

    public NamespaceContents(LabControllersOptions options, Informer<V1Namespace> namespaces)
    {
        (_kubernetes, _namespaces) = (options.Kubernetes, namespaces);
        Queue = new(options.Time);
        namespaces.OnChange(c => Queue.Add((c.Now ?? c.Before)!.Name()));
    }

    public WorkQueue Queue { get; }

    /// <summary>An object of any kind is no more; if it was one of a namespace's own, it is made again.</summary>
    public void Gone(Resource resource, V1ObjectMeta metadata)
    {
        if ((resource == Resources.ServiceAccounts && metadata.Name is Account) || (resource == Resources.ConfigMaps && metadata.Name is Certificate))
            Queue.Add(metadata.NamespaceProperty);
    }

    public async Task Look(string name, CancellationToken cancellationToken)
    {
        if (_namespaces.Find(name) is not { Metadata.DeletionTimestamp: null })
            return;
        await Ensure(() => _kubernetes.CoreV1.CreateNamespacedServiceAccountAsync(new() { Metadata = new() { Name = Account } }, name, cancellationToken: cancellationToken));
        await Ensure(() => _kubernetes.CoreV1.CreateNamespacedConfigMapAsync(
            new() { Metadata = new() { Name = Certificate }, Data = new Dictionary<string, string>(StringComparer.Ordinal) { ["ca.crt"] = Bootstrap.RootCertificate } },
            name, cancellationToken: cancellationToken));
    }

    private static async Task Ensure(Func<Task> create)
    {
        try
        {
            await create();
        }
        catch (HttpOperationException e) when (e.IsAlreadyThere() || e.IsNotFound() || e.NamespaceEnds())
        {
            // It is there, or its namespace is no more.
        }
    }
}
