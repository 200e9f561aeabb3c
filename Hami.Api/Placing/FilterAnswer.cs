using System.Buffers;
using System.Text.Json;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>A node that does not take the pod, and why.</summary>
internal readonly record struct FailedNode(string Node, string Why);

/// <summary>kube-scheduler's <c>ExtenderFilterResult</c>.</summary>
/// <param name="Passed">Positions in the offer of the nodes that may take the pod.</param>
/// <param name="Failed">Why a node may not; empty as soon as one may, as HAMi answers.</param>
/// <param name="Error">Empty unless the question could not be answered.</param>
/// <param name="Refused">Further nodes that may not, thousands of them.</param>
internal sealed record FilterAnswer(
    NodeOffer? Offer, IReadOnlyList<int>? Passed, IReadOnlyList<FailedNode> Failed, string Error, RefusedNodes? Refused = null)
{
    public static FilterAnswer Of(string error) => new(null, null, [], error);

    /// <summary>Writes it with member names in Go's casing.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, new() { SkipValidation = true });
        json.WriteStartObject();
        json.WritePropertyName("Nodes"u8);
        if (Passed is not null && Offer!.IsWhole)
            WriteObjects(json);
        else
            json.WriteNullValue();
        json.WritePropertyName("NodeNames"u8);
        if (Passed is not null && !Offer!.IsWhole)
            WriteNames(json);
        else
            json.WriteNullValue();
        json.WritePropertyName("FailedNodes"u8);
        WriteFailed(json);
        json.WriteNull("FailedAndUnresolvableNodes"u8);
        json.WriteString("Error"u8, Error);
        json.WriteEndObject();
    }

    private void WriteObjects(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartObject("metadata"u8);
        json.WriteEndObject();
        json.WriteStartArray("items"u8);
        foreach (var at in Passed!)
            json.WriteRawValue(Offer!.Object(at), skipInputValidation: true);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteNames(Utf8JsonWriter json)
    {
        json.WriteStartArray();
        foreach (var at in Passed!)
            json.WriteStringValue(Offer!.Names[at]);
        json.WriteEndArray();
    }

    private void WriteFailed(Utf8JsonWriter json)
    {
        if (Failed.Count == 0 && Refused is null)
        {
            json.WriteNullValue();
            return;
        }
        json.WriteStartObject();
        // Thousands of nodes fail for a few reasons, often the same one after the other.
        UnfitReasons? before = null;
        var encoded = default(JsonEncodedText);
        foreach (var (node, reasons) in Refused?.Nodes ?? [])
        {
            if (!ReferenceEquals(reasons, before))
                (before, encoded) = (reasons, JsonEncodedText.Encode(reasons.Text));
            json.WriteString(node, encoded);
        }
        foreach (var (node, why) in Failed)
            json.WriteString(node, why);
        json.WriteEndObject();
    }
}
