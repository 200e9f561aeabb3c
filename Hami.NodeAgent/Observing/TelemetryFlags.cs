using System.CommandLine;

namespace Hami.NodeAgent.Observing;

/// <summary>The flags that say where measurements are told.</summary>
internal static class TelemetryFlags
{
    private static readonly Option<string?> Address = new("--api-address")
    {
        Description = "The control plane's https address, such as https://hami-api.kube-system.svc:443, which is told what cards and containers do; nobody is told when left out.",
    };

    private static readonly Option<string?> Authority = new("--api-ca-file")
    {
        Description = "PEM file of the authorities that signed its certificate; those the system trusts when left out. Read again when it changes.",
    };

    private static readonly Option<string> Token = new("--api-token-file")
    {
        Description = "File with the token that is shown there, bound to a pod of this node; read again when it changes.",
        DefaultValueFactory = _ => TelemetryOptions.UsualTokenFile,
    };

    public static IReadOnlyList<Option> All { get; } = [Address, Authority, Token];

    /// <summary>Null when nobody is told.</summary>
    /// <exception cref="InvalidOperationException">The address is none.</exception>
    public static TelemetryOptions? Read(ParseResult given) => given.GetValue(Address) is { Length: > 0 } address
        ? new(Https(address), given.GetValue(Authority), given.GetValue(Token))
        : null;

    // Plain HTTP would show the token to whoever listens.
    private static Uri Https(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps
        ? uri
        : throw new InvalidOperationException($"--api-address is \"{address}\"; it must look like https://hami-api.kube-system.svc:443.");
}
