using System.CommandLine;
using System.CommandLine.Parsing;
using Hami.Api.Observing;

namespace Hami.Api.Commands;

/// <summary>The flags that say where use is asked for that is older than we keep.</summary>
internal sealed class PrometheusFlags
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(9);

    private readonly Option<string?> _address = new("--prometheus-address")
    {
        Description = "Where Prometheus, or what answers as it does, is asked for use that is older than 30 days, such as https://prometheus.monitoring:9090. Nowhere when not given.",
    };
    private readonly Option<string?> _authorization = new("--prometheus-authorization-file")
    {
        Description = "File with the value of the header Authorization that it is shown, such as Bearer and a token; read again for each question.",
    };
    private readonly Option<string?> _authorities = new("--prometheus-ca-file") { Description = "Authorities of its certificate, PEM; else the system's. Read again when it changes." };
    private readonly Option<TimeSpan> _timeout = Flag.Duration("--prometheus-timeout", TimeSpan.FromSeconds(5), "How long one of its answers may take, up to 9s.", mayBeZero: false);

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_address, _authorization, _authorities, _timeout])
            command.Options.Add(option);
        command.Validators.Add(Validate);
    }

    /// <summary>Null where nobody is asked.</summary>
    public PrometheusOptions? Read(ParseResult parsed) => parsed.GetValue(_address) is { Length: > 0 } address
        ? new(new(address), parsed.GetValue(_authorization), parsed.GetValue(_authorities), parsed.GetValue(_timeout))
        : null;

    private void Validate(CommandResult result)
    {
        if (result.TextOf(_timeout) is { } timeout && GoValues.TryDuration(timeout, out var time) && time > Longest)
            result.AddError($"--prometheus-timeout {timeout} is longer than {Longest.TotalSeconds}s: a whole question has ten.");
        if (result.TextOf(_address) is not { Length: > 0 } address)
        {
            var given = ((Option[])[_authorization, _authorities]).Where(o => result.TextOf(o) is not null).Select(o => o.Name).ToList();
            if (given.Count > 0)
                result.AddError($"{string.Join(" and ", given)} says how Prometheus is asked: give --prometheus-address with it.");
            return;
        }
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || (uri.Scheme != Uri.UriSchemeHttps && uri.Scheme != Uri.UriSchemeHttp)
            || uri.UserInfo.Length + uri.Query.Length + uri.Fragment.Length > 0)
        {
            result.AddError($"--prometheus-address {address} is no address such as https://prometheus.monitoring:9090, with a path where it has one, and without user, query or fragment.");
            return;
        }
        var isOpen = uri.Scheme == Uri.UriSchemeHttp && !uri.IsLoopback;
        if (result.TextOf(_authorization) is { } authorization)
        {
            if (isOpen)
                result.AddError("--prometheus-authorization-file needs an https --prometheus-address: over plain HTTP others see the header.");
            if (WhyNot.Of(() => File.ReadAllText(authorization)) is { } unreadable)
                result.AddError($"--prometheus-authorization-file {authorization}: {unreadable}");
        }
        if (result.TextOf(_authorities) is { } authorities && WhyNot.Of(() => PrometheusClient.Authorities(File.ReadAllText(authorities))) is { } unusable)
            result.AddError($"--prometheus-ca-file {authorities}: {unusable}");
    }
}
