using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;

namespace Hami.Api.Plumbing;

/// <summary>
/// The chain through the log: SHA-256 over the hash before it, time, stream, type and canonical body of an event, so that a
/// change, removal or insertion breaks every hash after it.
/// </summary>
public static class EventHash
{
    /// <summary>What the first event is chained to.</summary>
    public const string Genesis = "";

    /// <summary>The hash of one event: 64 lower-case hexadecimal digits.</summary>
    /// <param name="at">The event's time; only whole microseconds count, as PostgreSQL keeps no more.</param>
    public static string Of(string previous, DateTimeOffset at, string stream, string type, JsonElement body)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartArray();
            writer.WriteStringValue(previous);
            writer.WriteNumberValue(at.UtcTicks / TimeSpan.TicksPerMicrosecond);
            writer.WriteStringValue(stream);
            writer.WriteStringValue(type);
            CanonicalJson.Write(writer, body);
            writer.WriteEndArray();
        }
        return Convert.ToHexStringLower(SHA256.HashData(bytes.WrittenSpan));
    }
}
