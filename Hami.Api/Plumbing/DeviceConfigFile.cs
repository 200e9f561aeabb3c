using System.Globalization;
using System.Text.RegularExpressions;
using Hami.Domain.Protocol;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hami.Api.Plumbing;

/// <summary>
/// HAMi's device configuration (<c>--device-config-file</c>). Its <c>nvidia</c> section is read; other vendors' sections and keys
/// we do not know may stand there. A key that is missing keeps the value HAMi ships.
/// </summary>
internal static partial class DeviceConfigFile
{
    /// <summary>Reads the file.</summary>
    /// <exception cref="FormatException">It says what cannot be; the message names the place, and what is expected there.</exception>
    /// <exception cref="YamlException">It is not YAML.</exception>
    public static NvidiaConfig Read(string path) => Parse(File.ReadAllText(path));

    /// <inheritdoc cref="Read"/>
    internal static NvidiaConfig Parse(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        if (stream.Documents is not [{ RootNode: YamlMappingNode { Children.Count: > 0 } root }, ..])
            throw new FormatException("the file configures no vendor; it is expected to have a section such as nvidia:");
        if (!root.Children.TryGetValue(new YamlScalarNode("nvidia"), out var section) || IsNothing(section))
            return NvidiaConfig.Hami;
        return section is YamlMappingNode nvidia
            ? Nvidia(new(nvidia))
            : throw Wrong(section, "nvidia", "a mapping of keys to values");
    }

    private static NvidiaConfig Nvidia(Section section)
    {
        var usual = NvidiaConfig.Hami;
        var names = new ResourceNames(
            section.Resource("resourceCountName", usual.ResourceNames.Count),
            section.Resource("resourceMemoryName", usual.ResourceNames.Memory),
            section.Resource("resourceMemoryPercentageName", usual.ResourceNames.MemoryPercent),
            section.Resource("resourceCoreName", usual.ResourceNames.Cores),
            section.Resource("resourcePriorityName", usual.ResourceNames.Priority));
        string[] all = [names.Count, names.Memory, names.MemoryPercent, names.Cores, names.Priority];
        if (all.Distinct(StringComparer.Ordinal).Count() < all.Length)
            throw new FormatException($"nvidia: two of the resource names are the same ({string.Join(", ", all)}); each is expected to be a name of its own");
        return new(
            names,
            section.Bool("overwriteEnv", usual.OverwriteEnv),
            section.Int("defaultMemory", usual.DefaultMemoryMiB, 0, int.MaxValue, "MiB"),
            section.Int("defaultCores", usual.DefaultCores, 0, 100, "percent"),
            section.Int("defaultGPUNum", usual.DefaultGpuCount, 0, int.MaxValue, "cards"),
            // HAMi's zero value means the same as one.
            Math.Max(section.Int("memoryFactor", usual.MemoryFactor, 0, int.MaxValue, "MiB per unit"), 1),
            section.Text("gpuCorePolicy", "default") switch
            {
                "default" or "" => GpuCorePolicy.Default,
                "force" => GpuCorePolicy.Force,
                "disable" => GpuCorePolicy.Disable,
                _ => throw section.Wrong("gpuCorePolicy", "default, force or disable"),
            },
            section.Text("runtimeClassName", usual.RuntimeClassName),
            section.Find("migProfileAllowlist") is { } list ? Allowlist(list) : usual.MigProfileAllowlist);
    }

    private static List<MigProfileAllowance> Allowlist(YamlNode node)
    {
        const string Key = "nvidia.migProfileAllowlist";
        if (node is not YamlSequenceNode list)
            throw Wrong(node, Key, "a list of entries with models and profiles");
        var allowances = new List<MigProfileAllowance>();
        foreach (var entry in list)
        {
            if (entry is not YamlMappingNode mapping)
                throw Wrong(entry, Key, "an entry with models and profiles");
            var (models, profiles) = (Words(mapping, "models"), Words(mapping, "profiles"));
            if (profiles.FirstOrDefault(p => !Profile().IsMatch(p)) is { } other)
                throw Wrong(entry, $"{Key}.profiles", "NVML's names such as 1g.10gb", other);
            allowances.Add(new(models, profiles));
        }
        return allowances;

        static List<string> Words(YamlMappingNode entry, string key) =>
            entry.Children.TryGetValue(new YamlScalarNode(key), out var node) && node is YamlSequenceNode { Children.Count: > 0 } words
                && words.All(w => w is YamlScalarNode { Value.Length: > 0 })
                ? [.. words.Select(w => ((YamlScalarNode)w).Value!)]
                : throw Wrong(entry, $"{Key}.{key}", "at least one word in each entry");
    }

    private static bool IsNothing(YamlNode node) => node is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" or "Null" or "NULL" };

    private static FormatException Wrong(YamlNode at, string key, string expected, string? value = null) => new(
        string.Create(CultureInfo.InvariantCulture, $"line {at.Start.Line}: {key} is {value ?? (at is YamlScalarNode scalar ? $"\"{scalar.Value}\"" : "of another kind")}, expected is {expected}"));

    // What HAMi asks of a profile: something that ends in g, a dot, and more.
    [GeneratedRegex(@"^[^.]+g\..+$", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Profile();

    // Kubernetes' extended resources: a DNS name, a slash, a name.
    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ResourceName();

    /// <summary>The keys of one vendor.</summary>
    private sealed class Section(YamlMappingNode keys)
    {
        public YamlNode? Find(string key) => keys.Children.TryGetValue(new YamlScalarNode(key), out var node) && !IsNothing(node) ? node : null;

        public string Text(string key, string otherwise) => Find(key) switch
        {
            null => otherwise,
            YamlScalarNode { Value: { } value } => value.Trim(),
            _ => throw Wrong(key, "a text"),
        };

        public string Resource(string key, string otherwise)
        {
            var name = Text(key, otherwise);
            return name.Length <= 253 && ResourceName().IsMatch(name) ? name : throw Wrong(key, $"a resource name such as {otherwise}");
        }

        public bool Bool(string key, bool otherwise) => Text(key, otherwise ? "true" : "false").ToLowerInvariant() switch
        {
            "true" or "yes" or "on" => true,
            "false" or "no" or "off" => false,
            _ => throw Wrong(key, "true or false"),
        };

        public int Int(string key, int otherwise, int least, int most, string unit) =>
            int.TryParse(Text(key, otherwise.ToString(CultureInfo.InvariantCulture)), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
                && value >= least && value <= most
                ? value
                : throw Wrong(key, string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most} ({unit})"));

        public FormatException Wrong(string key, string expected) => DeviceConfigFile.Wrong(Find(key)!, $"nvidia.{key}", expected);
    }
}
