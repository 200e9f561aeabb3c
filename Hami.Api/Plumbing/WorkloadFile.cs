using System.Globalization;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hami.Api.Plumbing;

/// <summary>
/// The typical workload an admin gives (<c>--workload-file</c>): a list of kinds of pods, YAML or JSON, each with <c>weight</c> and
/// what such a pod asks.
/// </summary>
internal static class WorkloadFile
{
    private static readonly string[] Keys = ["cards", "memoryMiB", "memoryPercent", "cores", "cpuMilli", "hostMemoryMiB", "useTypes", "avoidTypes", "weight"];

    /// <summary>Reads the file.</summary>
    /// <exception cref="FormatException">It says what cannot be; the message names the place, and what is expected there.</exception>
    /// <exception cref="YamlException">It is neither YAML nor JSON.</exception>
    public static WorkloadMix Read(string path) => Parse(File.ReadAllText(path));

    /// <inheritdoc cref="Read"/>
    internal static WorkloadMix Parse(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        if (stream.Documents is not [{ RootNode: YamlSequenceNode list }, ..])
            throw new FormatException("the file is expected to be a list of kinds of pods, such as - { cards: 1, memoryMiB: 8000, weight: 3 }");
        var mix = new WorkloadMix([.. list.Select((node, i) => Kind(node, i + 1))]);
        return mix.Problem() is { } problem ? throw new FormatException(problem) : mix;
    }

    private static WorkloadWeight Kind(YamlNode node, int number)
    {
        if (node is not YamlMappingNode mapping)
            throw new FormatException($"kind {number} is expected to be a mapping of keys to values, such as {{ cards: 1, memoryMiB: 8000, weight: 3 }}");
        var values = mapping.Children.ToDictionary(c => c.Key.ToString(), c => c.Value, StringComparer.Ordinal);
        if (values.Keys.FirstOrDefault(k => !Keys.Contains(k, StringComparer.Ordinal)) is { } other)
            throw new FormatException($"kind {number} has {other}, which is none of {string.Join(", ", Keys)}");

        var (memoryMiB, isHostKnown) = (Whole("memoryMiB", 0), values.ContainsKey("cpuMilli") || values.ContainsKey("hostMemoryMiB"));
        return new(
            new(
                (int)Whole("cards", 1), memoryMiB, (int)Whole("memoryPercent", memoryMiB > 0 ? 0 : 100), (int)Whole("cores", 0),
                isHostKnown ? new HostRoom(Whole("cpuMilli", 0), Whole("hostMemoryMiB", 0)) : null, Words("useTypes"), Words("avoidTypes")),
            Number("weight", 1));

        long Whole(string key, int otherwise) => !values.TryGetValue(key, out var value) ? otherwise
            : int.TryParse(Text(value), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole
            : throw Wrong(key, value, "a whole number");

        double Number(string key, double otherwise) => !values.TryGetValue(key, out var value) ? otherwise
            : double.TryParse(Text(value), NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) ? parsed
            : throw Wrong(key, value, "a number");

        // As the annotations have it, or as a list.
        string Words(string key) => !values.TryGetValue(key, out var value) ? ""
            : value is YamlSequenceNode words ? string.Join(',', words.Select(w => Text(w) ?? throw Wrong(key, w, "names of models")))
            : Text(value) ?? throw Wrong(key, value, "names of models");

        FormatException Wrong(string key, YamlNode value, string expected) => new($"kind {number}: {key} is {value}, but is expected to be {expected}");
    }

    private static string? Text(YamlNode node) => node is YamlScalarNode { Value: { } text } ? text.Trim() : null;
}
