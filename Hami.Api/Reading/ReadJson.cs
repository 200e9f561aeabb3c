using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hami.Api.Reading;

/// <summary>Rows as JSON, named as the tables' columns: PostgreSQL makes rows of it, and it of rows, whatever the table.</summary>
internal static class ReadJson
{
    public static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = new ColumnNames(),
        Converters = { new JsonStringEnumConverter() },
    };

    /// <summary>The array that <c>json_populate_recordset</c> takes.</summary>
    public static string Rows<T>(IReadOnlyCollection<T> rows) => JsonSerializer.Serialize(rows, Options);

    /// <summary>A row that <c>row_to_json</c> wrote.</summary>
    public static T Row<T>(string json) => JsonSerializer.Deserialize<T>(json, Options)!;

    private sealed class ColumnNames : JsonNamingPolicy
    {
        // MiB is one word.
        public override string ConvertName(string name) => SnakeCaseLower.ConvertName(name.Replace("MiB", "Mib", StringComparison.Ordinal));
    }
}
