namespace Hami.Lab.Cluster;

/// <summary>A cluster that exists already and shall carry a lab for a while.</summary>
/// <param name="Kubeconfig">The kubeconfig file of somebody who may create nodes, namespaces, webhook configurations and pods.</param>
/// <param name="ExternalScheduler">Whether its own kube-scheduler places the pods, configured by <c>hami scheduler-config</c>, instead of our stand-in.</param>
/// <param name="AuthorityDirectory">Where the certificate authority is kept that its kube-scheduler was told of.</param>
/// <param name="Host">This machine's name or address as its API server and kube-scheduler reach it.</param>
/// <param name="ExtenderPort">The extender's port, as its kube-scheduler was told.</param>
public sealed record ExistingCluster(string Kubeconfig, bool ExternalScheduler, string AuthorityDirectory, string Host, int ExtenderPort)
{
    /// <summary>The extender's port that <c>hami scheduler-config</c> names when nobody says otherwise.</summary>
    public const int UsualExtenderPort = 18443;
}
