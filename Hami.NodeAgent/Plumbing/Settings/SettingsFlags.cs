using System.CommandLine;
using System.Globalization;

namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>The flags, and HAMi's variables for them, that settle how cards are shared, whatever files say.</summary>
internal static class SettingsFlags
{
    private const string UsualNodeConfig = "/config/config.json";

    private static readonly Option<string?> ConfigFile = new("--config-file")
    {
        Description = "HAMi's device configuration (YAML), of which the section nvidia counts; CONFIG_FILE when left out.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("CONFIG_FILE") is { Length: > 0 } path ? path : null,
    };

    private static readonly Option<string?> NodeConfigFile = new("--node-config-file")
    {
        Description = $"HAMi's per-node configuration (JSON), of which the entries with this node's name count; {UsualNodeConfig} where it is there, when left out.",
    };

    private static readonly Option<string?> ResourceName = new("--resource-name")
    {
        Description = "Extended resource to serve; resourceCountName of --config-file when left out, else nvidia.com/gpu.",
    };

    private static readonly Option<int?> SplitCount = new("--device-split-count")
    {
        Description = "How many containers may share one card (10).",
        DefaultValueFactory = _ => Variable("DEVICE_SPLIT_COUNT", int.Parse),
    };

    private static readonly Option<double?> MemoryScaling = new("--device-memory-scaling")
    {
        Description = "Memory published for each MiB a card has; above 1 oversubscribes (1).",
        DefaultValueFactory = _ => Variable("DEVICE_MEMORY_SCALING", double.Parse),
    };

    // The second name is HAMi's.
    private static readonly Option<double?> CoreScaling = new("--device-core-scaling", "--device-cores-scaling")
    {
        Description = "Compute published for each card (1).",
        DefaultValueFactory = _ => Variable("DEVICE_CORES_SCALING", double.Parse),
    };

    private static readonly Option<bool?> DisableCoreLimit = new("--disable-core-limit")
    {
        Description = "Do not limit compute in containers.",
        DefaultValueFactory = _ => Variable("DISABLE_CORE_LIMIT", (text, _) => bool.Parse(text)),
    };

    private static readonly Option<MigStrategy?> MigStrategy = new("--mig-strategy")
    {
        Description = "What becomes of MIG devices that somebody else made: none, single or mixed (none).",
        DefaultValueFactory = _ => Variable("MIG_STRATEGY", (text, _) => Enum.Parse<MigStrategy>(text, ignoreCase: true)),
    };

    public static IEnumerable<Option> All => [ConfigFile, NodeConfigFile, ResourceName, SplitCount, MemoryScaling, CoreScaling, DisableCoreLimit, MigStrategy];

    public static AgentOptions Into(AgentOptions options, ParseResult given) => options with
    {
        ConfigFile = given.GetValue(ConfigFile),
        NodeConfigFile = given.GetValue(NodeConfigFile) ?? UsualNodeConfig,
        NodeConfigMayBeMissing = given.GetValue(NodeConfigFile) is null,
        Given = new()
        {
            ResourceName = given.GetValue(ResourceName),
            SplitCount = given.GetValue(SplitCount),
            MemoryScaling = given.GetValue(MemoryScaling),
            CoreScaling = given.GetValue(CoreScaling),
            DisableCoreLimit = given.GetValue(DisableCoreLimit),
            MigStrategy = given.GetValue(MigStrategy),
        },
    };

    private static T? Variable<T>(string name, Func<string, IFormatProvider, T> parse)
        where T : struct
    {
        if (Environment.GetEnvironmentVariable(name) is not { Length: > 0 } text)
            return null;
        try
        {
            return parse(text, CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw new InvalidOperationException($"The variable {name} is \"{text}\", which cannot be used; set it as the flag of the same meaning, or leave it out.", e);
        }
    }
}
