using System.Globalization;
using System.Text;
using YamlDotNet.Serialization;

namespace Hami.Lab.Scheduler;

/// <summary>What a real kube-scheduler must be told to have its pods placed by an extender.</summary>
public sealed record SchedulerConfiguration
{
    /// <summary>Version of the configuration that Kubernetes 1.25 and later read.</summary>
    public const string V1 = "kubescheduler.config.k8s.io/v1";

    /// <summary>Version of the configuration that Kubernetes 1.19 to 1.22 read.</summary>
    public const string V1Beta1 = "kubescheduler.config.k8s.io/v1beta1";

    public required Uri ExtenderUrl { get; init; }

    /// <summary>The authority that signed the extender's certificate; without one the certificate is not verified.</summary>
    public string? CaPem { get; init; }

    /// <summary>What the scheduler shows the extender, with <see cref="ClientKeyPem"/>; nothing when null.</summary>
    public string? ClientCertificatePem { get; init; }

    public string? ClientKeyPem { get; init; }

    /// <summary>How the scheduler reaches the API server; its own service account when null.</summary>
    public string? Kubeconfig { get; init; }

    public bool LeaderElect { get; init; }

    /// <summary>One profile each; a pod names one in <c>schedulerName</c>.</summary>
    public IReadOnlyList<string> SchedulerNames { get; init; } = ["hami-scheduler"];

    public IReadOnlyList<string> ManagedResources { get; init; } = Scheduler.ManagedResources.Nvidia;

    /// <summary>100 offers every node to the extender: kube-scheduler's own sample knows nothing of cards.</summary>
    public int PercentageOfNodesToScore { get; init; } = 100;

    /// <summary>True when the extender knows the nodes itself and gets their names only.</summary>
    public bool NodeCacheCapable { get; init; } = true;

    public TimeSpan HttpTimeout { get; init; } = TimeSpan.FromSeconds(30);

    public int Weight { get; init; } = 1;

    public string FilterVerb { get; init; } = "filter";

    public string BindVerb { get; init; } = "bind";

    /// <summary>Not asked when null; asked, the extender ranks the nodes that fit, and the scheduler's own preferences count too.</summary>
    public string? PrioritizeVerb { get; init; }

    /// <summary>Not asked when null; asked, the extender says whom a more important pod may remove.</summary>
    public string? PreemptVerb { get; init; }

    public string ApiVersion { get; init; } = V1;

    /// <summary>The file for <c>kube-scheduler --config</c>.</summary>
    public string ToYaml()
    {
        var root = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["apiVersion"] = ApiVersion,
            ["kind"] = "KubeSchedulerConfiguration",
            ["leaderElection"] = Map(("leaderElect", LeaderElect)),
            ["clientConnection"] = Map(("kubeconfig", Kubeconfig)),
            ["percentageOfNodesToScore"] = PercentageOfNodesToScore,
            ["profiles"] = SchedulerNames.Select(name => Map(("schedulerName", name))).ToList(),
            ["extenders"] = new[] { Extender() },
        };
        if (Kubeconfig is null)
            root.Remove("clientConnection");
        return new SerializerBuilder().WithQuotingNecessaryStrings().WithIndentedSequences().WithNewLine("\n").Build().Serialize(root);
    }

    private Dictionary<string, object> Extender()
    {
        var isHttps = ExtenderUrl.Scheme == Uri.UriSchemeHttps;
        return Map(
            ("urlPrefix", ExtenderUrl.ToString().TrimEnd('/')),
            ("filterVerb", FilterVerb),
            ("preemptVerb", PreemptVerb),
            ("prioritizeVerb", PrioritizeVerb),
            ("bindVerb", BindVerb),
            ("weight", Weight),
            ("enableHTTPS", isHttps),
            ("tlsConfig", isHttps ? Tls() : null),
            ("httpTimeout", string.Create(CultureInfo.InvariantCulture, $"{HttpTimeout.TotalSeconds}s")),
            ("nodeCacheCapable", NodeCacheCapable),
            ("managedResources", ManagedResources.Select(name => Map(("name", name), ("ignoredByScheduler", true))).ToList()));
    }

    private Dictionary<string, object> Tls() => Map(
        ("insecure", CaPem is null ? true : null),
        ("caData", Base64(CaPem)),
        ("certData", Base64(ClientCertificatePem)),
        ("keyData", Base64(ClientKeyPem)));

    private static string? Base64(string? text) => text is null ? null : Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static Dictionary<string, object> Map(params ReadOnlySpan<(string Key, object? Value)> members)
    {
        var map = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (var (key, value) in members)
        {
            if (value is not null)
                map[key] = value;
        }
        return map;
    }
}
