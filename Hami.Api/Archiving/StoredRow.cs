using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Replaying;
using Npgsql;

namespace Hami.Api.Archiving;

/// <summary>A row of the log with everything that must come back with it.</summary>
/// <param name="Id">What Marten calls the event by.</param>
/// <param name="DotNetType">Marten's name of its type.</param>
/// <param name="Headers">What stands beside the body, as JSON: the hash in the chain, and the allocation it tells of.</param>
internal sealed record StoredRow(LogRow Log, Guid Id, string? DotNetType, string? Headers)
{
    private const string Microseconds = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";

    /// <summary>Rows after one position up to another, in order, as the database holds them.</summary>
    public static async IAsyncEnumerable<StoredRow> ReadAsync(NpgsqlConnection database, long after, long upTo, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"""
            select seq_id, stream_id, version, type, data::text, timestamp, headers->>'hash', headers->>'allocationId', is_archived, id, mt_dotnet_type, headers::text
            from {MartenSetup.Schema}.mt_events where seq_id > $1 and seq_id <= $2 order by seq_id
            """, database)
        { CommandTimeout = 0, Parameters = { new() { Value = after }, new() { Value = upTo } } };
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            yield return new(
                new(
                    rows.GetInt64(0), rows.GetString(1), rows.GetInt64(2), rows.GetString(3), rows.GetString(4), rows.GetFieldValue<DateTimeOffset>(5), Text(6), Text(7), rows.GetBoolean(8)),
                rows.GetGuid(9), Text(10), Text(11));
        }

        string? Text(int column) => rows.IsDBNull(column) ? null : rows.GetString(column);
    }

    /// <summary>Writes it as one JSON object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteNumber("position", Log.Position);
        json.WriteString("stream", Log.Stream);
        json.WriteNumber("version", Log.Version);
        json.WriteString("type", Log.Type);
        json.WriteString("at", Log.At.UtcDateTime.ToString(Microseconds, CultureInfo.InvariantCulture));
        json.WriteString("id", Id);
        json.WriteString("dotnetType", DotNetType);
        // As the database writes them, to the letter.
        json.WritePropertyName("headers");
        json.WriteRawValue(Headers ?? "null");
        json.WritePropertyName("body");
        json.WriteRawValue(Log.Body);
        if (Log.IsArchived)
            json.WriteBoolean("isArchived", true);
        json.WriteEndObject();
    }

    /// <summary>Reads what <see cref="Write"/> has written.</summary>
    /// <exception cref="FormatException">It is something else.</exception>
    public static StoredRow Read(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var row = document.RootElement;
            var headers = row.GetProperty("headers");
            return new(
                new(
                    row.GetProperty("position").GetInt64(), row.GetProperty("stream").GetString()!, row.GetProperty("version").GetInt64(), row.GetProperty("type").GetString()!,
                    row.GetProperty("body").GetRawText(), DateTimeOffset.ParseExact(row.GetProperty("at").GetString()!, Microseconds, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal),
                    Header("hash"), Header("allocationId"), row.TryGetProperty("isArchived", out var isArchived) && isArchived.GetBoolean()),
                row.GetProperty("id").GetGuid(), row.GetProperty("dotnetType").GetString(), headers.ValueKind is JsonValueKind.Null ? null : headers.GetRawText());

            string? Header(string name) => headers.ValueKind is JsonValueKind.Object && headers.TryGetProperty(name, out var value) ? value.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentNullException)
        {
            throw new FormatException($"the line is no event: {e.Message}", e);
        }
    }
}
