namespace Hami.Api.Observing;

/// <summary>The Prometheus, or what answers as it does, that has scraped the node agents for longer than we keep what they tell.</summary>
/// <param name="Address">Its address; <c>/api/v1</c> is below it.</param>
/// <param name="AuthorizationFile">Holds the value of the header <c>Authorization</c>; null for none.</param>
/// <param name="AuthorityFile">PEM certificates of whom its own must be signed by; null for those of the system.</param>
/// <param name="Timeout">How long one answer may take.</param>
internal sealed record PrometheusOptions(Uri Address, string? AuthorizationFile, string? AuthorityFile, TimeSpan Timeout);
