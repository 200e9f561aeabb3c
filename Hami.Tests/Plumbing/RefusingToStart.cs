using System.Diagnostics;
using Hami.Lab.Cluster;

namespace Hami.Tests.Plumbing;

/// <summary>Started wrongly, the control plane ends at once: with a code that is not zero and a sentence that says what to change.</summary>
public sealed class RefusingToStart
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("--postgres Host=nowhere", "Nothing to listen on: give --http, --https or both.")]
    [InlineData("--postgres Host=nowhere --https 127.0.0.1:18080", "--https needs --cert-file and --key-file, both naming PEM files that exist.")]
    [InlineData("--postgres Host=nowhere --https 127.0.0.1:18080 --cert-file no.crt --key-file no.key", "--https needs --cert-file and --key-file, both naming PEM files that exist.")]
    [InlineData("--postgres Host=nowhere --http localhost", "--http localhost is not an address and port such as 127.0.0.1:8080.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:99999", "--http 127.0.0.1:99999 is not an address and port such as 127.0.0.1:8080.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1", "--http 127.0.0.1 is not an address and port such as 127.0.0.1:8080.")]
    [InlineData("--http 127.0.0.1:18080", "No database: give --postgres or set HAMI_POSTGRES to an Npgsql connection string.")]
    [InlineData("--http 127.0.0.1:18080 --postgres Host=nowhere --node-scheduler-policy tight", "--node-scheduler-policy tight is neither binpack nor spread.")]
    [InlineData("--http 127.0.0.1:18080 --postgres Host=nowhere --gpu-scheduler-policy tight", "--gpu-scheduler-policy tight is neither binpack nor spread.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:0", "--http 127.0.0.1:0 is not an address and port such as 127.0.0.1:8080.")]
    [InlineData("--http 127.0.0.1:18080 --postgres Host=nowhere --colour", "Unrecognized command or argument '--colour'.")]
    public async Task A_wrong_flag_is_named_in_a_sentence(string flags, string sentence)
    {
        var (code, error) = await ServeAsync(flags.Split(' '));

        Assert.NotEqual(0, code);
        AssertOneSentence(error, sentence);
    }

    [Fact]
    public async Task Files_that_hold_no_certificate_are_named_in_a_sentence()
    {
        var folder = Directory.CreateTempSubdirectory("hami-tls-");
        var (certificate, key) = (Path.Combine(folder.FullName, "tls.crt"), Path.Combine(folder.FullName, "tls.key"));
        await File.WriteAllTextAsync(certificate, "no certificate");
        await File.WriteAllTextAsync(key, "no key");

        var (code, error) = await ServeAsync("--postgres", "Host=nowhere", "--https", "127.0.0.1:18080", "--cert-file", certificate, "--key-file", key);

        Assert.NotEqual(0, code);
        AssertOneSentence(error, certificate);
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("Host=nowhere;Colour=red", "colour")]
    [InlineData("nonsense", "Npgsql connection string")]
    public async Task A_connection_string_that_is_none_is_refused_in_a_sentence(string postgres, string names)
    {
        var (code, error) = await ServeAsync("--http", "127.0.0.1:18080", "--postgres", postgres);

        Assert.NotEqual(0, code);
        AssertOneSentence(error, names);
    }

    [Fact]
    public async Task A_kubeconfig_that_is_not_there_is_named_in_a_sentence()
    {
        var (code, error) = await ServeAsync("--http", "127.0.0.1:18080", "--postgres", "Host=nowhere", "--kubeconfig", "/nowhere/kubeconfig");

        Assert.NotEqual(0, code);
        AssertOneSentence(error, "/nowhere/kubeconfig");
    }

    [Fact]
    public async Task An_address_in_use_is_named_in_a_sentence()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, Loopback.FreePort());
        taken.Start();

        var (code, error) = await ServeAsync("--http", $"{taken.LocalEndpoint}", "--postgres", "Host=nowhere");

        Assert.NotEqual(0, code);
        AssertOneSentence(error, $"{taken.LocalEndpoint}");
    }

    private const string Kubeconfig =
        """
        apiVersion: v1
        kind: Config
        current-context: nowhere
        clusters:
        - name: nowhere
          cluster: { server: "http://127.0.0.1:1" }
        users:
        - name: nobody
          user: { token: nobody }
        contexts:
        - name: nowhere
          context: { cluster: nowhere, user: nobody, namespace: default }
        """;

    private static void AssertOneSentence(string error, string names)
    {
        Assert.Contains(names, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.Single(error.Trim().Split('\n'));
    }

    private static async Task<(int Code, string Error)> ServeAsync(params string[] flags)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var word in new[] { Path.Combine(AppContext.BaseDirectory, "hami-api.dll"), "serve" }.Concat(flags))
            start.ArgumentList.Add(word);
        start.Environment.Remove("HAMI_POSTGRES");
        var kubeconfig = Path.GetTempFileName();
        await File.WriteAllTextAsync(kubeconfig, Kubeconfig);
        start.Environment["KUBECONFIG"] = kubeconfig; // every case thus also says that the variable is read
        using var api = Process.Start(start)!;
        try
        {
            var (output, error) = (api.StandardOutput.ReadToEndAsync(), api.StandardError.ReadToEndAsync());
            using var patience = new CancellationTokenSource(Patience);
            await api.WaitForExitAsync(patience.Token);
            await output;
            return (api.ExitCode, await error);
        }
        finally
        {
            if (!api.HasExited)
                api.Kill();
            File.Delete(kubeconfig);
        }
    }
}
