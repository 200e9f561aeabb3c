using System.Globalization;
using Hami.Domain.Protocol;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>
/// HAMi's device configuration (<c>--config-file</c>), as far as a node acts on it: the section <c>nvidia</c>, and of NVIDIA's own
/// keys <c>flags.migStrategy</c>. Other vendors' sections and other keys may stand there; a key that is missing keeps what HAMi ships.
/// </summary>
internal static class DeviceYaml
{
    /// <exception cref="SettingsException">The text says something unusable.</exception>
    public static NodeSettings Parse(string text, string path)
    {
        var root = Root(text, path);
        var usual = new NodeSettings();
        var strategy = Yaml.Child(root, "flags") is YamlMappingNode flags ? new Keys(flags, "flags", path) : null;
        var nvidia = Yaml.Child(root, "nvidia") switch
        {
            null => new Keys(new(), "nvidia", path),
            YamlMappingNode section => new Keys(section, "nvidia", path),
            var other => throw Wrong(other, "nvidia", path, "a mapping of keys to values"),
        };
        return usual with
        {
            ResourceName = nvidia.Text("resourceCountName") is { Length: > 0 } name
                ? name.Split('/') is [{ Length: > 0 }, { Length: > 0 }] ? name : throw nvidia.Wrong("resourceCountName", "a name such as nvidia.com/gpu")
                : usual.ResourceName,
            SplitCount = nvidia.Whole("deviceSplitCount", 1, 1000) ?? usual.SplitCount,
            MemoryScaling = nvidia.Factor("deviceMemoryScaling") ?? usual.MemoryScaling,
            CoreScaling = nvidia.Factor("deviceCoreScaling") ?? usual.CoreScaling,
            PreConfiguredMemoryMiB = nvidia.Whole("preConfiguredDeviceMemory", 0, int.MaxValue) ?? usual.PreConfiguredMemoryMiB,
            LibCudaLogLevel = nvidia.Text("libCudaLogLevel") is { Length: > 0 } level ? level : usual.LibCudaLogLevel,
            NumaTopology = nvidia.Switch("enableNumaTopology") ?? usual.NumaTopology,
            DisableCoreLimit = nvidia.Switch("disableCoreLimit") ?? usual.DisableCoreLimit,
            MigStrategy = strategy?.Text("migStrategy") switch
            {
                null or "" or "none" => MigStrategy.None,
                "single" => MigStrategy.Single,
                "mixed" => MigStrategy.Mixed,
                _ => throw strategy.Wrong("migStrategy", "none, single or mixed"),
            },
            MigProfiles = nvidia.Find("migProfileAllowlist") is { } list ? Allowlist(list, path) : usual.MigProfiles,
        };
    }

    private static YamlMappingNode Root(string text, string path)
    {
        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            return yaml.Documents is [{ RootNode: YamlMappingNode { Children.Count: > 0 } root }, ..]
                ? root
                : throw new SettingsException($"The device configuration {path} configures no vendor; begin it with a section such as \"nvidia:\".");
        }
        catch (YamlException e)
        {
            throw new SettingsException($"The device configuration {path} is not YAML at line {e.Start.Line}, column {e.Start.Column} ({e.Message}); mend that line.", e);
        }
    }

    private static MigAllowlist Allowlist(YamlNode node, string path)
    {
        const string Key = "nvidia.migProfileAllowlist";
        if (node is not YamlSequenceNode list)
            throw Wrong(node, Key, path, "a list of entries with models and profiles");
        var allowed = new List<MigProfileAllowance>();
        foreach (var entry in list)
        {
            var (models, profiles) = (Words(entry, "models"), Words(entry, "profiles"));
            // HAMi's rule: something that ends in g, a dot, and more.
            if (profiles.FirstOrDefault(p => p.Split('.', 2) is not [{ Length: > 1 } slices, { Length: > 0 }] || !slices.EndsWith('g')) is { } other)
                throw Wrong(entry, $"{Key}.profiles", path, "NVML's names such as 1g.10gb", other);
            allowed.Add(new(models, profiles));
        }
        return new(allowed);

        List<string> Words(YamlNode entry, string key) =>
            entry is YamlMappingNode mapping && Yaml.Child(mapping, key) is YamlSequenceNode { Children.Count: > 0 } words && words.All(w => w is YamlScalarNode { Value.Length: > 0 })
                ? [.. words.Select(w => ((YamlScalarNode)w).Value!)]
                : throw Wrong(entry, $"{Key}.{key}", path, "at least one word in each entry");
    }

    private static SettingsException Wrong(YamlNode at, string key, string path, string expected, string? value = null) => new(
        $"In line {at.Start.Line} of the device configuration {path} {key} is {((value ?? (at as YamlScalarNode)?.Value) is { } word ? $"\"{word}\"" : "of another kind")}; write {expected}.");

    /// <summary>The keys of one section.</summary>
    private sealed class Keys(YamlMappingNode section, string name, string path)
    {
        public YamlNode? Find(string key) => Yaml.Child(section, key);

        public string? Text(string key) => Find(key) switch
        {
            null => null,
            YamlScalarNode { Value: { } value } => value.Trim(),
            _ => throw Wrong(key, "a text"),
        };

        public int? Whole(string key, int least, int most) => Text(key) is not { } text ? null
            : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
            : throw Wrong(key, string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"));

        public double? Factor(string key) => Text(key) is not { } text ? null
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) && number > 0 ? number
            : throw Wrong(key, "a number above 0, such as 1.5");

        public bool? Switch(string key) => Text(key)?.ToLowerInvariant() switch
        {
            null => null,
            "true" or "yes" or "on" => true,
            "false" or "no" or "off" => false,
            _ => throw Wrong(key, "true or false"),
        };

        public SettingsException Wrong(string key, string expected) => DeviceYaml.Wrong(Find(key)!, $"{name}.{key}", path, expected);
    }
}
