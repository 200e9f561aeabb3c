using System.Diagnostics;
using Hami.Lab.Cluster;
using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

/// <summary>Started wrongly, the control plane ends at once: with a code that is not zero and a sentence that says what to change.</summary>
public sealed class RefusingToStart
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("--http 127.0.0.1:18080", "No database: give --postgres or set HAMI_POSTGRES to an Npgsql connection string.")]
    [InlineData("--http 127.0.0.1:18080 --postgres Host=nowhere --colour", "Unrecognized command or argument '--colour'.")]
    public async Task A_wrong_command_line_ends_with_a_sentence(string flags, string sentence)
    {
        var (code, error) = await ServeAsync(flags.Split(' '));

        Assert.NotEqual(0, code);
        AssertOneSentence(error, sentence);
    }

    [Theory]
    [InlineData("--postgres Host=nowhere", "Nothing to listen on: give --http, --https or HAMi's --http_bind.")]
    [InlineData("--postgres Host=nowhere --https 127.0.0.1:18080", "--https needs --cert-file and --key-file, both naming PEM files that exist.")]
    [InlineData("--postgres Host=nowhere --https 127.0.0.1:18080 --cert-file no.crt --key-file no.key", "--https needs --cert-file and --key-file, both naming PEM files that exist.")]
    [InlineData("--postgres Host=nowhere --http localhost", "--http localhost is not an address and port such as 127.0.0.1:8080.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:99999", "--http 127.0.0.1:99999 is not an address and port such as 127.0.0.1:8080.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1", "--http 127.0.0.1 is not an address and port such as 127.0.0.1:8080.")]
    [InlineData("--http 127.0.0.1:18080 --postgres Host=nowhere --node-scheduler-policy tight", "--node-scheduler-policy tight is none of binpack, spread or fragmentation.")]
    [InlineData("--http 127.0.0.1:18080 --postgres Host=nowhere --gpu-scheduler-policy tight", "--gpu-scheduler-policy tight is none of binpack, spread, topology-aware, mutex, numa, fragmentation")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:0", "--http 127.0.0.1:0 is not an address and port such as 127.0.0.1:8080.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --extender 0.0.0.0:18090", "--extender 0.0.0.0:18090 can be reached from beyond this machine")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --extender=", "Required argument missing for option: '--extender'.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --device-config-file", "Required argument missing for option: '--device-config-file'.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --extender nowhere", "--extender nowhere is not an address and port such as 127.0.0.1:8090, nor \"none\".")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --extender-client-ca no.crt", "--extender-client-ca needs --cert-file and --key-file")]
    [InlineData("--postgres Host=nowhere --http_bind 0.0.0.0:443 --cert_file no.crt", "--cert-file and --key-file are one certificate and its key: give both or neither.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --metrics-bind-address 9395", "--metrics-bind-address 9395 is not an address and port such as :9395, nor \"0\" for none.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --node-lock-timeout 5", "--node-lock-timeout 5 is not a duration such as 28s, 5m or 1h30m.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --reservation-timeout 0", "--reservation-timeout 0 is not a duration such as 28s, 5m or 1h30m.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --kube-qps many", "--kube-qps many is not a number from -1 to 1000000.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --extender-mode all", "--extender-mode all is neither single nor score.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --node-label-selector gpu", "--node-label-selector gpu is not a list of labels such as gpu=on,zone=a.")]
    [InlineData("--postgres Host=nowhere --http 127.0.0.1:18080 --device-config-file /nowhere.yaml", "--device-config-file /nowhere.yaml: Could not find file '/nowhere.yaml'.")]
    public void A_wrong_flag_is_named_in_a_sentence(string flags, string sentence)
    {
        var kubeconfig = Path.GetTempFileName();
        File.WriteAllText(kubeconfig, ControlPlaneScene.NobodysKubeconfig);

        var parsed = Hami.Api.CommandLine.Create().Parse(["serve", "--kubeconfig", kubeconfig, .. flags.Split(' ')]);

        AssertOneSentence(string.Join('\n', parsed.Errors.Select(e => e.Message)), sentence);
        File.Delete(kubeconfig);
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

        var (code, error, output) = await ServeAndReadAsync("--http", $"{taken.LocalEndpoint}", "--postgres", "Host=nowhere");

        Assert.NotEqual(0, code);
        AssertOneSentence(error, $"{taken.LocalEndpoint}");
        // What had begun in the background ends without a word.
        Assert.DoesNotContain("BackgroundService", output, StringComparison.Ordinal);
    }

    private static void AssertOneSentence(string error, string names)
    {
        Assert.Contains(names, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.Single(error.Trim().Split('\n'));
    }

    private static async Task<(int Code, string Error)> ServeAsync(params string[] flags)
    {
        var (code, error, _) = await ServeAndReadAsync(flags);
        return (code, error);
    }

    private static async Task<(int Code, string Error, string Output)> ServeAndReadAsync(params string[] flags)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var word in new[] { Path.Combine(AppContext.BaseDirectory, "hami-api.dll"), "serve" }.Concat(flags))
            start.ArgumentList.Add(word);
        start.Environment.Remove("HAMI_POSTGRES");
        var kubeconfig = Path.GetTempFileName();
        await File.WriteAllTextAsync(kubeconfig, ControlPlaneScene.NobodysKubeconfig);
        start.Environment["KUBECONFIG"] = kubeconfig; // every case thus also says that the variable is read
        using var api = Process.Start(start)!;
        try
        {
            var (output, error) = (api.StandardOutput.ReadToEndAsync(), api.StandardError.ReadToEndAsync());
            using var patience = new CancellationTokenSource(Patience);
            await api.WaitForExitAsync(patience.Token);
            return (api.ExitCode, await error, await output);
        }
        finally
        {
            if (!api.HasExited)
                api.Kill();
            File.Delete(kubeconfig);
        }
    }
}
