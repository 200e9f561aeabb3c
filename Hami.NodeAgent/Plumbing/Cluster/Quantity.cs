using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>A quantity of Kubernetes, such as <c>2</c>, <c>3k</c> or <c>16Gi</c>, as it was written: whether it is more than nothing is all that is asked here.</summary>
[JsonConverter(typeof(QuantityConverter))]
internal readonly record struct Quantity(string Text)
{
    /// <summary>Suffix and exponent only scale what stands before them.</summary>
    public bool IsPositive => !Text.StartsWith('-') && Text.TakeWhile(c => !char.IsAsciiLetter(c)).Any(c => c is >= '1' and <= '9');
}

// The API server writes text; a number is what a person's YAML has.
internal sealed class QuantityConverter : JsonConverter<Quantity>
{
    public override Quantity Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        new(reader.TokenType is JsonTokenType.Number ? reader.GetDecimal().ToString(CultureInfo.InvariantCulture) : reader.GetString() ?? "");

    public override void Write(Utf8JsonWriter writer, Quantity value, JsonSerializerOptions options) => writer.WriteStringValue(value.Text);
}
