using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Domain.Ledger;

namespace Hami.Domain.Protocol;

/// <summary>Codec of the annotation <see cref="HamiKeys.NodeScore"/>: how well the cards of a node are connected.</summary>
public static class NodeScores
{
    /// <summary>Writes what is told of these cards, in their order.</summary>
    public static string Encode(IEnumerable<string> cards, IReadOnlyCollection<CardLink> links) => JsonSerializer.Serialize(
        [.. cards.Select(card => new Scores(card, links.Where(l => l.From == card).ToDictionary(l => l.To, l => l.Score, StringComparer.Ordinal)))],
        NodeScoresJson.Default.ScoresArray);

    /// <summary>Reads the annotation.</summary>
    /// <exception cref="FormatException">It is not a JSON array of pair scores; the message says what is wrong.</exception>
    public static IReadOnlyList<CardLink> Decode(string text)
    {
        Scores?[]? cards;
        try
        {
            cards = JsonSerializer.Deserialize(text, NodeScoresJson.Default.ScoresArray);
        }
        catch (JsonException e)
        {
            throw new FormatException($"The annotation {HamiKeys.NodeScore} is not a JSON array of pair scores: {e.Message}", e);
        }
        if (cards is null || cards.Any(c => string.IsNullOrWhiteSpace(c?.Uuid)))
            throw new FormatException($"The annotation {HamiKeys.NodeScore} has an entry without a \"uuid\".");
        if (cards.Any(c => c!.Uuid.Contains('\0', StringComparison.Ordinal) || c.To?.Keys.Any(to => to.Contains('\0', StringComparison.Ordinal)) == true))
            throw new FormatException($"The annotation {HamiKeys.NodeScore} has a NUL character in a UUID.");
        return [.. cards.SelectMany(c => c!.To ?? [], (c, to) => new CardLink(c!.Uuid, to.Key, to.Value))
            .OrderBy(l => l.From, StringComparer.Ordinal).ThenBy(l => l.To, StringComparer.Ordinal)];
    }

    internal sealed record Scores([property: JsonPropertyName("uuid")] string Uuid, [property: JsonPropertyName("score")] Dictionary<string, int>? To);
}

[JsonSerializable(typeof(NodeScores.Scores[]))]
internal sealed partial class NodeScoresJson : JsonSerializerContext;
