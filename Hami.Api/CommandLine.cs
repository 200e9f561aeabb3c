using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Security.Cryptography;
using Hami.Api.Plumbing;
using k8s.Exceptions;
using Npgsql;
using YamlDotNet.Core;

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
            // Results, not values: asking for a value that could not be parsed throws.
            if (result.GetResult(http) is null && result.GetResult(https) is null)
                result.AddError("Nothing to listen on: give --http, --https or both.");
            var (certificateFile, keyFile) = (result.GetValue(certificate), result.GetValue(key));
            if (result.GetResult(https) is not null)
            {
                if (!File.Exists(certificateFile) || !File.Exists(keyFile))
                    result.AddError("--https needs --cert-file and --key-file, both naming PEM files that exist.");
                else if (WhyNot(() => ServerCertificate.Load(certificateFile, keyFile).Certificate.Dispose()) is { } unusable)
                    result.AddError($"--cert-file {certificateFile} and --key-file {keyFile} are not a PEM certificate and its key: {unusable}");
            }
            if (string.IsNullOrWhiteSpace(result.GetValue(postgres)))
                result.AddError("No database: give --postgres or set HAMI_POSTGRES to an Npgsql connection string.");
            else if (WhyNot(() => _ = new NpgsqlConnectionStringBuilder(result.GetValue(postgres))) is { } unreadable)
                result.AddError($"The database is not given as an Npgsql connection string: {unreadable}");
            if (WhyNot(() => Server.ClusterAccess(result.GetValue(kubeconfig))) is { } unknown)
                result.AddError($"The cluster cannot be reached without a usable kubeconfig: {unknown}");
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
            if (IPEndPoint.TryParse(result.Tokens[0].Value, out var address) && address.Port != 0)
                return address;
            result.AddError($"{name} {result.Tokens[0].Value} is not an address and port such as 127.0.0.1:8080.");
            return null;
        },
    };

    private static Option<string> Policy(string name, string otherwise)
    {
        var option = new Option<string>(name) { Description = "binpack or spread.", DefaultValueFactory = _ => otherwise };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: not ("binpack" or "spread") } other])
                result.AddError($"{name} {other.Value} is neither binpack nor spread.");
        });
        return option;
    }

    /// <summary>Why something cannot be read, in one line; null when it can.</summary>
    private static string? WhyNot(Action read)
    {
        try
        {
            read();
            return null;
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException or KubeConfigException or IOException or UnauthorizedAccessException or YamlException)
        {
            return e.Message.ReplaceLineEndings(" ");
        }
    }
}
