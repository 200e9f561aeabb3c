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
/// <param name="Anybody">Whether an admin said that kube-scheduler need not show who it is.</param>
internal sealed record Listener(IPEndPoint Address, Callers Callers, bool Tls, bool ClientCertificates = false, bool Anybody = false)
{
    /// <summary>Whether others than this machine may reach the extender without showing who they are.</summary>
    public bool LetsAnybodyBind => IsExposed && Anybody;

    /// <summary>Whether the extender answers this machine alone, although others reach the listener.</summary>
    public bool HidesExtender => IsExposed && !Anybody;

    private bool IsExposed => Callers.HasFlag(Callers.Scheduler) && !ClientCertificates && !IPAddress.IsLoopback(Address.Address);

    /// <summary>Whether a caller at this address finds what is meant for these callers.</summary>
    public bool Admits(Callers callers, IPAddress? from) =>
        (Callers & callers & ~Callers.Scheduler) != Callers.None
        || ((Callers & callers & Callers.Scheduler) != Callers.None && (!HidesExtender || IsThisMachine(from)));

    // The usual addresses alone: a proxy beside us may hand on the calls of others from another address of the loopback network.
    private static bool IsThisMachine(IPAddress? from) =>
        from is not null && (from.Equals(IPAddress.IPv6Loopback) || (from.IsIPv4MappedToIPv6 ? from.MapToIPv4() : from).Equals(IPAddress.Loopback));
}

/// <summary>Where the control plane listens, and the files its TLS is made of.</summary>
/// <param name="ClientAuthorityFile">Authorities of client certificates; null where none are asked for.</param>
internal sealed record ListenOptions(IReadOnlyList<Listener> Listeners, string? CertificateFile, string? KeyFile, string? ClientAuthorityFile);
