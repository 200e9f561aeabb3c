using System.Reflection;
using System.Text.Json;
using Hami.Domain.Reading;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Writes rows of one table as binary COPY takes them: the same values that <see cref="ReadJson"/> has as text.</summary>
internal sealed class CopyColumns
{
    private readonly (PropertyInfo Property, string Type)[] _columns;

    public CopyColumns(ReadTable table)
    {
        var properties = table.Row.GetProperties().ToDictionary(p => ReadJson.Options.PropertyNamingPolicy!.ConvertName(p.Name), StringComparer.Ordinal);
        // What stands behind the type's name is no part of it.
        _columns = [.. table.Columns.Select(c => (properties[c.Name], c.Type.Split(' ')[0]))];
    }

    public async Task WriteAsync(NpgsqlBinaryImporter copy, object row, CancellationToken cancellationToken)
    {
        await copy.StartRowAsync(cancellationToken);
        foreach (var (property, type) in _columns)
        {
            if (property.GetValue(row) is { } value)
                await copy.WriteAsync(Stored(value, property, type), type, cancellationToken);
            else
                await copy.WriteNullAsync(cancellationToken);
        }
    }

    private static object Stored(object value, PropertyInfo property, string type) => value switch
    {
        _ when type == "jsonb" => JsonSerializer.Serialize(value, property.PropertyType, ReadJson.Options),
        DateTimeOffset at => at.ToUniversalTime(),
        Enum word => word.ToString(),
        _ => value,
    };
}
