using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Hami.Api.Plumbing.Listening;

namespace Hami.Api.Commands;

/// <summary>The flags that say where the control plane listens, and who may call there.</summary>
internal sealed class ListenFlags
{
    private const string NoExtender = "none";

    private static readonly IPEndPoint UsualExtender = new(IPAddress.Loopback, 8090);
    private static readonly IPEndPoint UsualMetrics = new(IPAddress.IPv6Any, 9395);

    private readonly Option<IPEndPoint?> _http = Flag.Address("--http", "Address of the plain listener for the webhook, GraphQL and the UI, such as 127.0.0.1:8080.");
    private readonly Option<IPEndPoint?> _https = Flag.Address("--https", "The same over TLS, such as 0.0.0.0:8443; needs --cert-file and --key-file.");
    private readonly Option<IPEndPoint?> _httpBind = Flag.Address(
        "--http_bind", "HAMi's one listener for everything, over TLS with --cert_file and --key_file; the extender included, for callers on this machine, unless --extender is given too.", "--http-bind");
    private readonly Option<string?> _certificate = new("--cert-file", "--cert_file") { Description = "Certificate of the TLS listeners, PEM; read again when it changes." };
    private readonly Option<string?> _key = new("--key-file", "--key_file") { Description = "Its private key, PEM; read again when it changes." };
    private readonly Option<string?> _extender = new("--extender")
    {
        Description = $"Address where kube-scheduler asks (/filter, /bind, /prioritize, /preempt), {UsualExtender} when neither this nor --http_bind is given; \"{NoExtender}\" for nowhere. Beyond loopback it needs --extender-client-ca.",
    };
    private readonly Option<string?> _clientAuthority = new("--extender-client-ca")
    {
        Description = "Authorities, PEM, of the client certificates that the extender listener asks for, over TLS; read again when it changes.",
    };
    private readonly Option<bool> _anybody = Flag.Switch("--extender-allow-anybody", false, "Let the extender answer callers beyond this machine without client certificates: whoever reaches it can bind any pod.");
    private readonly Option<string?> _metrics = new("--metrics-bind-address")
    {
        Description = $"Address of the metrics listener, :{UsualMetrics.Port} when not given; \"0\" for none.",
    };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_http, _https, _httpBind, _certificate, _key, _extender, _clientAuthority, _anybody, _metrics])
            command.Options.Add(option);
        command.Validators.Add(Validate);
    }

    public ListenOptions Read(ParseResult parsed)
    {
        var (http, https, both) = (parsed.GetValue(_http), parsed.GetValue(_https), parsed.GetValue(_httpBind));
        var (certificate, key, clients) = (parsed.GetValue(_certificate), parsed.GetValue(_key), parsed.GetValue(_clientAuthority));
        var extender = Extender(parsed.GetValue(_extender), both is not null);
        var anybody = parsed.GetValue(_anybody);
        var listeners = new List<Listener>();
        if (http is not null)
            listeners.Add(new(http, Callers.Public, Tls: false));
        if (https is not null)
            listeners.Add(new(https, Callers.Public, Tls: true));
        if (both is not null)
            listeners.Add(new(both, parsed.GetValue(_extender) is null ? Callers.Public | Callers.Scheduler : Callers.Public, Tls: certificate is not null, Anybody: anybody));
        if (extender is not null)
        {
            var asksCertificates = clients is not null;
            listeners.Add(new(extender, Callers.Scheduler, Tls: asksCertificates || (!IsLoopback(extender) && certificate is not null), asksCertificates, anybody));
        }
        if (Metrics(parsed.GetValue(_metrics)) is { } metrics)
            listeners.Add(new(metrics, Callers.Prometheus, Tls: false));
        return new(listeners, certificate, key, clients);
    }

    private void Validate(CommandResult result)
    {
        // Results, not values: asking for a value that could not be parsed throws.
        if (result.GetResult(_http) is null && result.GetResult(_https) is null && result.GetResult(_httpBind) is null)
            result.AddError("Nothing to listen on: give --http, --https or HAMi's --http_bind.");
        if (result.GetResult(_https) is not null && !(File.Exists(result.TextOf(_certificate)) && File.Exists(result.TextOf(_key))))
            result.AddError("--https needs --cert-file and --key-file, both naming PEM files that exist.");
        else
            ValidateCertificates(result, result.TextOf(_certificate), result.TextOf(_key));
        if (result.TextOf(_extender) is not (null or NoExtender) && !GoValues.TryAddress(result.TextOf(_extender)!, out _))
            result.AddError($"--extender {result.TextOf(_extender)} is not an address and port such as {UsualExtender}, nor \"{NoExtender}\".");
        else if (result.GetResult(_httpBind) is null || result.TextOf(_extender) is not null)
            ValidateExtender(result, Extender(result.TextOf(_extender), both: false));
        if (result.TextOf(_metrics) is { } metrics && metrics is not ("" or "0") && !GoValues.TryAddress(metrics, out _))
            result.AddError($"--metrics-bind-address {metrics} is not an address and port such as :{UsualMetrics.Port}, nor \"0\" for none.");
    }

    private void ValidateCertificates(CommandResult result, string? certificate, string? key)
    {
        if (certificate is null != key is null)
            result.AddError("--cert-file and --key-file are one certificate and its key: give both or neither.");
        else if (certificate is not null && WhyNot.Of(() => TlsFiles.ReadCertificate(certificate, key!)) is { } unusable)
            result.AddError($"--cert-file {certificate} and --key-file {key} are not a PEM certificate and its key: {unusable}");
        if (result.TextOf(_clientAuthority) is not { } clients)
            return;
        if (certificate is null)
            result.AddError("--extender-client-ca needs --cert-file and --key-file: client certificates are shown over TLS.");
        else if (WhyNot.Of(() => TlsFiles.ReadAuthorities(clients)) is { } unreadable)
            result.AddError($"--extender-client-ca {clients} is not a PEM file of authorities: {unreadable}");
    }

    private void ValidateExtender(CommandResult result, IPEndPoint? extender)
    {
        if (extender is null || IsLoopback(extender) || result.TextOf(_clientAuthority) is not null || result.GetValue(_anybody))
            return;
        result.AddError($"--extender {extender} can be reached from beyond this machine, and who can call it can bind any pod: give --extender-client-ca, or --extender-allow-anybody if the network keeps others out.");
    }

    private static IPEndPoint? Extender(string? text, bool both) =>
        text is null ? (both ? null : UsualExtender)
        : text is NoExtender ? null
        : GoValues.TryAddress(text, out var address) ? address : null;

    private static IPEndPoint? Metrics(string? text) =>
        text is null ? UsualMetrics
        : GoValues.TryAddress(text, out var address) ? address : null;

    private static bool IsLoopback(IPEndPoint address) => IPAddress.IsLoopback(address.Address);
}
