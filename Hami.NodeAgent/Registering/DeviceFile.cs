using System.Collections.Immutable;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hami.NodeAgent.Registering;

/// <summary>The device file cannot be used; the message is one sentence for whoever wrote it.</summary>
internal sealed class DeviceFileException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>Reads the YAML file that names the node's cards.</summary>
internal static class DeviceFile
{
    // A kubelet device id has at most 63 characters, and ours are "<UUID>-<k>" with k below 1000.
    private const int LongestUuid = 59;

    /// <exception cref="DeviceFileException">The file is missing or says something unusable.</exception>
    public static ImmutableArray<Card> Read(string path) => Parse(Bytes(path), path);

    /// <exception cref="DeviceFileException">The file is missing or may not be read.</exception>
    public static byte[] Bytes(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DeviceFileException($"The device file {path} cannot be read ({e.Message}); give --simulate a readable YAML file.", e);
        }
    }

    /// <exception cref="DeviceFileException">The text says something unusable.</exception>
    public static ImmutableArray<Card> Parse(byte[] utf8, string path)
    {
        using var text = new StreamReader(new MemoryStream(utf8));
        return Parse(text.ReadToEnd(), path);
    }

    /// <exception cref="DeviceFileException">The text says something unusable.</exception>
    public static ImmutableArray<Card> Parse(string text, string path)
    {
        if (Root(text, path) is not YamlMappingNode root || Child(root, "devices") is not YamlSequenceNode devices || !devices.Any())
            throw new DeviceFileException($"The device file {path} has no list \"devices:\" with at least one card; begin it with \"devices:\" and a line \"- uuid: GPU-…\".");
        var cards = devices.Select((node, i) => Entry(node, i + 1, path)).ToImmutableArray();
        var twice = cards.GroupBy(c => c.Uuid, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1);
        if (twice is not null)
            throw new DeviceFileException($"The device file {path} lists the card {twice.Key} twice; give every entry its own uuid.");
        return cards;
    }

    private static YamlNode? Root(string text, string path)
    {
        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            return yaml.Documents is [var only, ..] ? only.RootNode : null;
        }
        catch (YamlException e)
        {
            throw new DeviceFileException($"The device file {path} is not YAML at line {e.Start.Line}, column {e.Start.Column} ({e.Message}); mend that line.", e);
        }
    }

    private static Card Entry(YamlNode node, int position, string path)
    {
        var where = $"entry {position} (line {node.Start.Line}) of the device file {path}";
        if (node is not YamlMappingNode entry)
            throw new DeviceFileException($"In {where} stands no card; write uuid, model and memoryMiB there.");
        foreach (var key in entry.Children.Keys.Select(k => k.ToString()))
            if (key is not ("uuid" or "model" or "memoryMiB" or "numa" or "healthy" or "mode" or "migProfiles"))
                throw new DeviceFileException($"In {where} stands \"{key}\", which is not known; use uuid, model, memoryMiB, numa, healthy, mode and migProfiles.");

        var uuid = Required(entry, "uuid", where);
        if (uuid.Length > LongestUuid || uuid.IndexOfAny([',', ':', ';', ' ', '/', '_']) >= 0)
            throw new DeviceFileException($"In {where} the uuid \"{uuid}\" cannot be used; write one such as GPU-03f69c50-207a-2038-9b45-23cac89cb67a (at most {LongestUuid} characters, none of , : ; / _ or blank).");
        var memory = Required(entry, "memoryMiB", where);
        if (!int.TryParse(memory, out var memoryMiB) || memoryMiB <= 0)
            throw new DeviceFileException($"In {where} memoryMiB is \"{memory}\"; write the card's memory in MiB as a whole number, such as 24564.");
        return new(uuid, Required(entry, "model", where), memoryMiB, Numa(entry, where), Healthy(entry, where), MigEntry.Of(entry, where)) { Index = position - 1, Minor = position - 1 };
    }

    private static int? Numa(YamlMappingNode entry, string where) => Text(entry, "numa") switch
    {
        null => null,
        var text when int.TryParse(text, out var numa) && numa >= 0 => numa,
        var text => throw new DeviceFileException($"In {where} numa is \"{text}\"; write the NUMA node's number, such as 0, or leave it out."),
    };

    private static bool Healthy(YamlMappingNode entry, string where) => Text(entry, "healthy") switch
    {
        null => true,
        var text when bool.TryParse(text, out var healthy) => healthy,
        var text => throw new DeviceFileException($"In {where} healthy is \"{text}\"; write true or false, or leave it out."),
    };

    private static string Required(YamlMappingNode entry, string key, string where) =>
        Text(entry, key) is { Length: > 0 } text
            ? text
            : throw new DeviceFileException($"In {where} \"{key}\" is missing; add a line \"{key}: …\".");

    private static string? Text(YamlMappingNode entry, string key) => (Child(entry, key) as YamlScalarNode)?.Value?.Trim();

    private static YamlNode? Child(YamlMappingNode entry, string key) =>
        entry.Children.TryGetValue(new YamlScalarNode(key), out var child) ? child : null;
}
