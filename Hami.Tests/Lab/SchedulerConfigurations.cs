using System.CommandLine;
using Hami.Lab.Cluster;
using Hami.Lab.Scheduler;
using Hami.Tests.Given;
using YamlDotNet.Serialization;

namespace Hami.Tests.Lab;

/// <summary>The file that makes a real kube-scheduler ask our extender.</summary>
public sealed class SchedulerConfigurations
{
    private static readonly SchedulerConfiguration Full = new()
    {
        ExtenderUrl = new("https://127.0.0.1:8443/"),
        CaPem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ClientCertificatePem = "certificate",
        ClientKeyPem = "key",
        Kubeconfig = "/run/hami lab/kubeconfig: it's here",
        SchedulerNames = ["hami-scheduler", "default-scheduler"],
        PrioritizeVerb = "prioritize",
        PreemptVerb = "preempt",
        HttpTimeout = TimeSpan.FromSeconds(2.5),
    };

    [Fact]
    public void With_everything_it_is_as_approved() => ApprovedText.Is("scheduler-configuration.yaml", Full.ToYaml());

    [Fact]
    public void With_the_address_alone_it_is_as_approved() =>
        ApprovedText.Is("scheduler-configuration-small.yaml", new SchedulerConfiguration { ExtenderUrl = new("http://hami:80") }.ToYaml());

    [Theory]
    [InlineData("", null, null)]
    [InlineData("--extender-mode single", null, null)]
    [InlineData("--extender-mode score", "prioritize", null)]
    [InlineData("--preempt", null, "preempt")]
    [InlineData("--extender-mode score --preempt", "prioritize", "preempt")]
    public void The_verbs_beside_filter_and_bind_are_switched_on_by_options(string options, string? prioritize, string? preempt)
    {
        var command = new Command("scheduler-config");
        var verbs = new ExtenderVerbsOptions();
        verbs.AddTo(command);

        var read = verbs.Read(command.Parse(options));

        Assert.Equal((prioritize, preempt), (read.Prioritize, read.Preempt));
    }

    [Fact]
    public void Odd_words_come_back_as_they_were()
    {
        var read = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(
            (Full with { Kubeconfig = "true", SchedulerNames = ["007", "a: b #c"] }).ToYaml());

        Assert.Equal("true", ((Dictionary<object, object>)read["clientConnection"])["kubeconfig"]);
        Assert.Equal(["007", "a: b #c"], ((List<object>)read["profiles"]).Select(p => ((Dictionary<object, object>)p)["schedulerName"]));
    }

    [Fact]
    public void An_older_cluster_reads_the_older_version() =>
        Assert.StartsWith("apiVersion: kubescheduler.config.k8s.io/v1beta1\n", (Full with { ApiVersion = SchedulerConfiguration.V1Beta1 }).ToYaml(), StringComparison.Ordinal);
}
