using System.CommandLine;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering.Health;

namespace Hami.NodeAgent.Registering;

/// <summary>The flags that say where cards are found and what makes them ill.</summary>
internal static class DiscoveryFlags
{
    private const string Soname = "libnvidia-ml.so.1";

    // HAMi's order: where distributions and the driver's container keep 64-bit libraries.
    private static readonly string[] Places =
        ["usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib64", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"];

    private static readonly Option<string[]> NvmlLibrary = new("--nvml-library")
    {
        Description = $"Path of NVML; may be repeated, the first that opens is used. When left out: the usual places under --driver-root-ctr-path, then {Soname} as the loader finds it.",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<string> Sysfs = new("--sysfs")
    {
        Description = "Where the machine's sysfs is, which tells on which NUMA node a card is.",
        DefaultValueFactory = _ => "/sys",
    };

    private static readonly Option<int> HealthRecovery = new("--health-recovery-minutes")
    {
        Description = "How long a card that had a critical error must answer without another before it counts as healthy again; twice as long after each relapse within a day. 0: only once its driver was loaded anew or it was reset.",
        DefaultValueFactory = _ => 10,
    };

    private static readonly Option<bool> TopologyScore = new("--enable-topology-score")
    {
        Description = "Publish how well each two cards are connected (hami.io/node-nvidia-score), for topology-aware placement; ENABLE_TOPOLOGY_SCORE=true does the same.",
        DefaultValueFactory = _ => string.Equals(Variable("ENABLE_TOPOLOGY_SCORE"), "true", StringComparison.OrdinalIgnoreCase),
    };

    public static IEnumerable<Option> All => [NvmlLibrary, Sysfs, HealthRecovery, TopologyScore];

    public static AgentOptions Into(AgentOptions options, ParseResult given) => options with
    {
        NvmlLibraries = options.DeviceFile is not null ? []
            : given.GetValue(NvmlLibrary) is { Length: > 0 } named ? named
            : Under(given.GetValue(DriverRootFlag.Option)!),
        Sysfs = given.GetValue(Sysfs)!,
        HealthRecovery = TimeSpan.FromMinutes(Math.Max(0, given.GetValue(HealthRecovery))),
        TopologyScore = given.GetValue(TopologyScore),
        XidRules = XidRules.Of(Variable("DP_DISABLE_HEALTHCHECKS"), Variable("DP_ENABLE_HEALTHCHECKS")),
    };

    /// <summary>Where NVML may be, best first.</summary>
    public static IReadOnlyList<string> Under(string root) =>
        root is "" or "/" ? [Soname] : [.. Places.Select(place => Path.Combine(root, place, Soname)), Soname];

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
