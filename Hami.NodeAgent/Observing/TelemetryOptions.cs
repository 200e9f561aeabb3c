namespace Hami.NodeAgent.Observing;

/// <summary>Where this node's measurements are told.</summary>
/// <param name="Address">The control plane's https listener.</param>
/// <param name="AuthorityFile">PEM certificates of who signed its certificate; null for those the system trusts.</param>
/// <param name="TokenFile">The pod's own token, as the kubelet renews it; null to show none, where nobody is asked.</param>
internal sealed record TelemetryOptions(Uri Address, string? AuthorityFile, string? TokenFile)
{
    /// <summary>Where the kubelet puts a pod's token.</summary>
    public const string UsualTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token";

    /// <summary>How long moments are gathered before they are told.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Moments of one report.</summary>
    public int MostInAReport { get; init; } = 30;

    /// <summary>Moments that wait while the control plane is away: the half hour that it takes late, at one in five seconds.</summary>
    public int MostWaiting { get; init; } = 360;

    /// <summary>Patience with one report.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The first pause after a report failed; doubled each time.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The longest.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromMinutes(1);
}
