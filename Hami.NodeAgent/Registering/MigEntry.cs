using YamlDotNet.RepresentationModel;
using Hami.Domain.Protocol;

namespace Hami.NodeAgent.Registering;

/// <summary>Reads <c>mode</c> and <c>migProfiles</c> of a card in the device file; the words are those of the register annotation.</summary>
internal static class MigEntry
{
    /// <summary>Null for a card that is not in MIG mode.</summary>
    /// <exception cref="DeviceFileException">They say something unusable.</exception>
    public static MigProfiles? Of(YamlMappingNode card, string where)
    {
        var profiles = Child(card, "migProfiles");
        switch (Text(card, "mode"))
        {
            case null or "hami-core" when profiles is null:
                return null;
            case null or "hami-core":
                throw new DeviceFileException($"In {where} stand migProfiles, but the card is not in MIG mode; add \"mode: mig\", or take them away.");
            case "mig":
                return profiles is YamlSequenceNode { Children.Count: > 0 } list
                    ? new([.. list.Select(node => Profile(node, where))])
                    : throw new DeviceFileException($"In {where} mode is \"mig\", but migProfiles are missing; list them as in the register annotation: {{name, memoryMB, core, sliceCount, placements}}.");
            case { } other:
                throw new DeviceFileException($"In {where} mode is \"{other}\"; write hami-core or mig, or leave it out.");
        }
    }

    private static PublishedMigProfile Profile(YamlNode node, string where)
    {
        var profile = Mapping(node, "migProfiles", where);
        return new()
        {
            Name = Text(profile, "name") is { Length: > 0 } name ? name : throw new DeviceFileException($"In {where} a profile of migProfiles has no name; write one such as 1g.5gb."),
            MemoryMiB = Number(profile, "memoryMB", 1, where),
            Cores = Number(profile, "core", 1, where),
            Slices = Number(profile, "sliceCount", 1, where),
            Placements = Child(profile, "placements") is YamlSequenceNode { Children.Count: > 0 } places
                ? [.. places.Select(place => Mapping(place, "placements", where)).Select(place => new PublishedMigPlacement { Start = Number(place, "start", 0, where), Size = Number(place, "size", 1, where) })]
                : throw new DeviceFileException($"In {where} a profile of migProfiles has no placements; write for example [{{start: 0, size: 1}}]."),
        };
    }

    private static YamlMappingNode Mapping(YamlNode node, string list, string where) => node as YamlMappingNode
        ?? throw new DeviceFileException($"In {where} {list} lists \"{node}\", which is no mapping; write it as in the register annotation.");

    private static int Number(YamlMappingNode entry, string key, int least, string where) => int.TryParse(Text(entry, key), out var number) && number >= least
        ? number
        : throw new DeviceFileException($"In {where} {key} of a MIG profile is \"{Text(entry, key)}\"; write a whole number of at least {least}.");

    private static string? Text(YamlMappingNode entry, string key) => (Child(entry, key) as YamlScalarNode)?.Value?.Trim();

    private static YamlNode? Child(YamlMappingNode entry, string key) => entry.Children.TryGetValue(new YamlScalarNode(key), out var child) ? child : null;
}
