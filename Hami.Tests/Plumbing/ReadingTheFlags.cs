using System.CommandLine;
using System.Diagnostics;
using System.Net;
using Hami.Api;
using Hami.Api.Commands;
using Hami.Api.Placing;
using Hami.Api.Plumbing.Listening;
using Hami.Domain.Placing;
using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

/// <summary>The command line, as HAMi's chart and HAMi's users write it, and as we do.</summary>
public sealed class ReadingTheFlags
{
    // What HAMi v2.10's chart passes, the webhook on.
    private const string Chart =
        "--http_bind=0.0.0.0:443 --cert_file=CERT --key_file=KEY --scheduler-name=hami-scheduler --metrics-bind-address=:9395 --node-scheduler-policy=binpack "
        + "--gpu-scheduler-policy=spread --force-overwrite-default-scheduler=true --leader-elect=true --leader-elect-resource-name=hami-scheduler "
        + "--leader-elect-resource-namespace=kube-system --enable-ascend=true --enable-iluvatar=false --node-label-selector=gpu=on,zone=a --legacy-metrics=true --debug -v=4";

    [Theory]
    [InlineData("0", 0)]
    [InlineData("28s", 28)]
    [InlineData("5m", 300)]
    [InlineData("1h30m", 5400)]
    [InlineData("1.5s", 1.5)]
    [InlineData("250ms", 0.25)]
    public void A_Go_duration_is_read(string text, double seconds)
    {
        Assert.True(GoValues.TryDuration(text, out var duration));
        Assert.Equal(TimeSpan.FromSeconds(seconds), duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("-5s")]
    [InlineData("5 m")]
    [InlineData("1d")]
    [InlineData("999999999999h")]
    public void What_is_no_duration_is_not_read(string text) => Assert.False(GoValues.TryDuration(text, out _));

    [Fact]
    public void Everything_HAMis_chart_passes_is_accepted()
    {
        using var files = new TlsFilesOnDisk();
        var kubeconfig = files.Write("kubeconfig", ControlPlaneScene.NobodysKubeconfig);

        var parsed = Hami.Api.CommandLine.Create().Parse(
            ["serve", "--postgres", "Host=nowhere", "--kubeconfig", kubeconfig, .. Chart.Replace("CERT", files.Certificate, StringComparison.Ordinal).Replace("KEY", files.Key, StringComparison.Ordinal).Split(' ')]);

        Assert.Empty(parsed.Errors);
    }

    [Fact]
    [Trait("Scoreboard", "C10")]
    [Trait("Scoreboard", "B10")]
    public void Flags_arrive_where_they_belong()
    {
        var placement = Parsed(
            (f, parsed) => f.Placement.Read(parsed),
            "--scheduler-name=s --force-overwrite-default-scheduler=false --node-scheduler-policy=spread --gpu-scheduler-policy=binpack --extender-mode score "
            + "--reservation-timeout 2m --node-lock-timeout=10m --node-lock-retry-timeout=0");
        Assert.Equal(
            ("s", false, NodePolicy.Spread, "binpack", ExtenderMode.Score, TimeSpan.FromMinutes(2), new NodeLockTimes(TimeSpan.FromMinutes(10), TimeSpan.Zero)),
            (placement.SchedulerName, placement.ForceOverwriteDefaultScheduler, placement.NodePolicy, placement.GpuPolicy.Word, placement.Mode, placement.ReservedFor, placement.NodeLock));

        var cluster = Parsed((f, parsed) => f.Cluster.Read(parsed), "--node-label-selector=gpu=on,zone=a --kube-qps=20 --kube-burst=30 --kube-timeout=5");
        Assert.Equal("gpu=on,zone=a", cluster.NodeSelector);
        Assert.Equal((20, 30, TimeSpan.FromSeconds(5)), (cluster.Limits.PerSecond, cluster.Limits.Burst, cluster.Limits.Timeout));

        Assert.Equal(["--leader-elect", "--debug", "--v"], Parsed((f, parsed) => f.Idle.Given(parsed), "--debug -v=4 --leader-elect=false"));
    }

    public static TheoryData<string, string[]> Listeners => new()
    {
        // Ours: kube-scheduler beside us by plain HTTP, nobody else.
        { "--http 127.0.0.1:8080", ["127.0.0.1:8080 Public plain", "127.0.0.1:8090 Scheduler plain", "[::]:9395 Prometheus plain"] },
        { "--https 0.0.0.0:8443 --cert-file c --key-file k --metrics-bind-address 0", ["0.0.0.0:8443 Public TLS", "127.0.0.1:8090 Scheduler plain"] },
        // HAMi's one listener.
        { "--http_bind 0.0.0.0:443 --cert_file c --key_file k --metrics-bind-address 0", ["0.0.0.0:443 Public, Scheduler TLS extender here"] },
        { "--http_bind 0.0.0.0:443 --cert_file c --key_file k --extender-allow-anybody --metrics-bind-address 0", ["0.0.0.0:443 Public, Scheduler TLS open"] },
        { "--http_bind 127.0.0.1:80 --metrics-bind-address 0", ["127.0.0.1:80 Public, Scheduler plain"] },
        // The way from there: with an extender beside it, it serves the public alone.
        { "--http_bind :443 --cert_file c --key_file k --extender 127.0.0.1:8090 --metrics-bind-address 0", ["[::]:443 Public TLS", "127.0.0.1:8090 Scheduler plain"] },
        { "--http 127.0.0.1:1 --extender 0.0.0.0:2 --extender-client-ca ca --cert-file c --key-file k --metrics-bind-address 0", ["127.0.0.1:1 Public plain", "0.0.0.0:2 Scheduler certificates"] },
        { "--http 127.0.0.1:1 --extender 0.0.0.0:2 --extender-allow-anybody --cert-file c --key-file k --metrics-bind-address 0", ["127.0.0.1:1 Public plain", "0.0.0.0:2 Scheduler TLS open"] },
        { "--http 127.0.0.1:1 --extender none --metrics-bind-address 127.0.0.1:3", ["127.0.0.1:1 Public plain", "127.0.0.1:3 Prometheus plain"] },
    };

    [Theory]
    [Trait("Scoreboard", "H14")]
    [MemberData(nameof(Listeners))]
    public void Where_we_listen_follows_from_the_flags(string flags, string[] listeners) => Assert.Equal(
        listeners,
        Parsed((f, parsed) => f.Listen.Read(parsed), flags).Listeners.Select(l =>
            $"{l.Address} {l.Callers} {(l.ClientCertificates ? "certificates" : l.Tls ? "TLS" : "plain")}{(l.LetsAnybodyBind ? " open" : l.HidesExtender ? " extender here" : "")}"));

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("::ffff:127.0.0.1", true)]
    [InlineData("::1", true)]
    [InlineData("127.0.0.6", false)]
    [InlineData("10.0.0.7", false)]
    [InlineData("::ffff:10.0.0.7", false)]
    [InlineData(null, false)]
    public void At_the_one_listener_only_callers_on_this_machine_can_bind(string? from, bool admitted)
    {
        var address = from is null ? null : IPAddress.Parse(from);
        var one = Parsed((f, parsed) => f.Listen.Read(parsed), "--http_bind 0.0.0.0:443 --metrics-bind-address 0").Listeners[0];
        var open = Parsed((f, parsed) => f.Listen.Read(parsed), "--http_bind 0.0.0.0:443 --extender-allow-anybody --metrics-bind-address 0").Listeners[0];

        Assert.Equal(admitted, one.Admits(Callers.Scheduler, address));
        Assert.True(one.Admits(Callers.Public, address));
        Assert.True(one.Admits(Callers.Public | Callers.Scheduler | Callers.Prometheus, address));
        Assert.False(one.Admits(Callers.Prometheus, address));
        Assert.True(open.Admits(Callers.Scheduler, address));
    }

    [Fact]
    [Trait("Scoreboard", "H12")]
    public async Task The_version_verb_says_what_the_metric_says()
    {
        using var version = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "hami-api.dll"), "version", "--json"])
        {
            UseShellExecute = false, RedirectStandardOutput = true,
        })!;
        var said = System.Text.Json.Nodes.JsonNode.Parse(await version.StandardOutput.ReadToEndAsync())!;
        await version.WaitForExitAsync();

        Assert.Equal(Hami.Api.Plumbing.BuildFacts.Here.Version, said["version"]!.GetValue<string>());
        Assert.Equal(Hami.Api.Plumbing.BuildFacts.Here.Revision, said["revision"]!.GetValue<string>());
        Assert.Matches(@"^\d+\.\d+\.\d+", said["version"]!.GetValue<string>());
    }

    private static T Parsed<T>(Func<Flags, ParseResult, T> read, string flags)
    {
        var all = new Flags(new(), new(), new(), new());
        var command = new Command("serve");
        all.Listen.AddTo(command);
        all.Cluster.AddTo(command);
        all.Placement.AddTo(command);
        all.Idle.AddTo(command);
        return read(all, command.Parse(flags.Split(' ')));
    }

    private sealed record Flags(ListenFlags Listen, ClusterFlags Cluster, PlacementFlags Placement, IdleFlags Idle);
}
