using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What selectors and watches ask of an object, taken out of it once, so that nobody parses it to find out whether it matters.</summary>
/// <param name="IsLeaving">Whether its deletion has begun.</param>
/// <param name="Fields">The values of <see cref="SelectableFields.Of"/>, in its order.</param>
internal sealed record Facts(string Name, string Namespace, string Uid, bool IsLeaving, KeyValuePair<string, string>[] Labels, string[] Fields)
{
    /// <summary>Reads a body's facts; what is as it was in the version before is shared with it.</summary>
    public static Facts Of(Resource resource, JsonObject body, Facts? before)
    {
        var metadata = body.MapAt("metadata");
        var labels = (metadata.MapAt("labels") ?? []).Select(l => KeyValuePair.Create(l.Key, l.Value is JsonValue value && value.TryGetValue<string>(out var text) ? text : "")).ToArray();
        var fields = SelectableFields.Of(resource).Select(f => f.ValueIn(body)).ToArray();
        if (before is not null)
        {
            labels = labels.AsSpan().SequenceEqual(before.Labels) ? before.Labels : labels;
            for (var i = 0; i < fields.Length; i++)
                fields[i] = fields[i] == before.Fields[i] ? before.Fields[i] : fields[i];
            fields = fields.AsSpan().SequenceEqual(before.Fields) ? before.Fields : fields;
        }
        var facts = new Facts(metadata.TextAt("name") ?? "", metadata.TextAt("namespace") ?? "", metadata.TextAt("uid") ?? "",
            metadata.TextAt("deletionTimestamp") is not null, labels, fields);
        return before is null ? facts : facts with
        {
            Name = Shared(facts.Name, before.Name), Namespace = Shared(facts.Namespace, before.Namespace), Uid = Shared(facts.Uid, before.Uid),
        };
    }

    /// <summary>The value of a label; null where the object has none of the name.</summary>
    public string? Label(string key)
    {
        foreach (var label in Labels)
        {
            if (label.Key == key)
                return label.Value;
        }
        return null;
    }

    private static string Shared(string now, string before) => now == before ? before : now;
}
