using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;

namespace Hami.Api;

/// <summary>The verbs of <c>hami-api</c>.</summary>
internal static class CommandLine
{
    public static RootCommand Create() => new("HAMi on events: the control plane that shares accelerators among pods.") { Serve() };

    private static Command Serve()
    {
        var http = EndPoint("--http", "Address of the plain listener, such as 127.0.0.1:8080.");
        var https = EndPoint("--https", "Address of the TLS listener, such as 0.0.0.0:8443; needs --cert-file and --key-file.");
        var certificate = new Option<string?>("--cert-file") { Description = "Certificate of the TLS listener, PEM." };
        var key = new Option<string?>("--key-file") { Description = "Its private key, PEM." };
        var postgres = new Option<string>("--postgres")
        {
            Description = "Npgsql connection string of the database that holds the log; else the variable HAMI_POSTGRES.",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("HAMI_POSTGRES") ?? "",
        };
        var kubeconfig = new Option<string?>("--kubeconfig") { Description = "kubeconfig file; else KUBECONFIG, else the cluster this process runs in." };
        var scheduler = new Option<string>("--scheduler-name") { Description = "Scheduler that pods are handed to.", DefaultValueFactory = _ => "hami-scheduler" };
        var nodes = Policy("--node-scheduler-policy", "binpack");
        var cards = Policy("--gpu-scheduler-policy", "spread");

        var serve = new Command("serve", "Answer the webhook, kube-scheduler and GraphQL.")
        {
            http, https, certificate, key, postgres, kubeconfig, scheduler, nodes, cards,
        };
        serve.Validators.Add(result =>
        {
            if (result.GetValue(http) is null && result.GetValue(https) is null)
                result.AddError("Nothing to listen on: give --http, --https or both.");
            if (result.GetValue(https) is not null && (!File.Exists(result.GetValue(certificate)) || !File.Exists(result.GetValue(key))))
                result.AddError("--https needs --cert-file and --key-file, both naming PEM files that exist.");
            if (string.IsNullOrWhiteSpace(result.GetValue(postgres)))
                result.AddError("No database: give --postgres or set HAMI_POSTGRES to an Npgsql connection string.");
        });
        serve.SetAction((parsed, cancellationToken) => Server.RunAsync(
            new(parsed.GetValue(http), parsed.GetValue(https), parsed.GetValue(certificate), parsed.GetValue(key), parsed.GetValue(postgres)!,
                parsed.GetValue(kubeconfig), parsed.GetValue(scheduler)!, parsed.GetValue(nodes)!, parsed.GetValue(cards)!),
            cancellationToken));
        return serve;
    }

    private static Option<IPEndPoint?> EndPoint(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = result =>
        {
            if (IPEndPoint.TryParse(result.Tokens[0].Value, out var address))
                return address;
            result.AddError($"{name} {result.Tokens[0].Value} is not an address and port such as 127.0.0.1:8080.");
            return null;
        },
    };

    private static Option<string> Policy(string name, string otherwise)
    {
        var option = new Option<string>(name) { Description = "binpack or spread.", DefaultValueFactory = _ => otherwise };
        option.AcceptOnlyFromAmong("binpack", "spread");
        return option;
    }
}
