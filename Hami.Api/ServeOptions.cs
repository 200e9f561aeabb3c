using System.Net;

namespace Hami.Api;

/// <summary>How <c>hami-api serve</c> was asked to run.</summary>
/// <param name="Http">Plain listener; null for none.</param>
/// <param name="Https">TLS listener; null for none.</param>
/// <param name="Kubeconfig">Path; null means <c>KUBECONFIG</c>, else the cluster this process runs in.</param>
internal sealed record ServeOptions(
    IPEndPoint? Http, IPEndPoint? Https, string? CertificateFile, string? KeyFile, string Postgres, string? Kubeconfig,
    string SchedulerName, string NodePolicy, string GpuPolicy);
