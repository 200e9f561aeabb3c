using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;
using YamlDotNet.Serialization;

namespace Hami.Lab.ApiServer;

/// <summary>Kubernetes objects from YAML and to YAML, whatever their kind: every YAML value is the JSON value it stands for.</summary>
internal static class Yaml
{
    private static readonly ISerializer Serializer = new SerializerBuilder().WithQuotingNecessaryStrings().WithIndentedSequences().Build();

    /// <summary>The documents of a text; throws <see cref="YamlException"/> or <see cref="FormatException"/> when it is none.</summary>
    public static IEnumerable<JsonNode?> Read(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return stream.Documents.Select(document => ToJson(document.RootNode));
    }

    public static byte[] Utf8(JsonNode? node) => Encoding.UTF8.GetBytes(Serializer.Serialize(Plain(node)));

    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(pair => KeyValuePair.Create(Name(pair.Key), ToJson(pair.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(ToJson)]),
        YamlScalarNode { Style: ScalarStyle.Plain } plain => Scalar(plain.Value),
        YamlScalarNode quoted => quoted.Value,
        _ => throw new FormatException($"A manifest holds maps, lists and values, no {node.NodeType}."),
    };

    private static string Name(YamlNode key) => key is YamlScalarNode { Value: { } name } ? name : throw new FormatException("A name in a manifest is a text.");

    private static JsonNode? Scalar(string? value) => value switch
    {
        null or "" or "~" or "null" => null,
        "true" => true,
        "false" => false,
        _ when long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => whole,
        _ when double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) && double.IsFinite(real) => real,
        _ => value,
    };

    private static object? Plain(JsonNode? node) => node switch
    {
        JsonObject map => map.ToDictionary(p => p.Key, p => Plain(p.Value), StringComparer.Ordinal),
        JsonArray list => list.Select(Plain).ToList(),
        JsonValue value => value.GetValueKind() switch
        {
            JsonValueKind.String => value.GetValue<string>(),
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ when long.TryParse(value.ToJsonString(), out var whole) => whole,
            _ => double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture),
        },
        _ => null,
    };
}
