using System.Net;

namespace Hami.Api.Plumbing.Listening;

/// <summary>Who calls at a listener; each finds there what is meant for them, and nothing else.</summary>
[Flags]
internal enum Callers
{
    None = 0,

    /// <summary>The API server with the webhook, people and their programs.</summary>
    Public = 1,

    /// <summary>kube-scheduler: whoever can call as it can bind any pod.</summary>
    Scheduler = 2,

    /// <summary>Who collects metrics.</summary>
    Prometheus = 4,
}

/// <summary>One address the control plane listens at.</summary>
/// <param name="ClientCertificates">Whether only clients are served whose certificate one of our authorities has signed.</param>
internal sealed record Listener(IPEndPoint Address, Callers Callers, bool Tls, bool ClientCertificates = false)
{
    /// <summary>Whether others than this machine may reach the extender without showing who they are.</summary>
    public bool LetsAnybodyBind => Callers.HasFlag(Callers.Scheduler) && !ClientCertificates && !IPAddress.IsLoopback(Address.Address);
}

/// <summary>Where the control plane listens, and the files its TLS is made of.</summary>
/// <param name="ClientAuthorityFile">Authorities of client certificates; null where none are asked for.</param>
internal sealed record ListenOptions(IReadOnlyList<Listener> Listeners, string? CertificateFile, string? KeyFile, string? ClientAuthorityFile);
