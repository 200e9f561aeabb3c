using System.Globalization;
using System.Text;
using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Domain.Protocol;

namespace Hami.Api.Replaying;

/// <summary>Where the log ended at some time, kept outside the database: nothing up to it can be changed unseen.</summary>
/// <param name="Position">Sequence of the last event.</param>
/// <param name="At">Its time.</param>
/// <param name="Hash">Its hash in the chain.</param>
/// <param name="Signature">Ed25519 signature over the others, after the id of its key and a colon.</param>
internal sealed record ExportedHead(long Position, DateTimeOffset At, string Hash, string Signature)
{
    // A signature over this text can be taken for nothing else; its meaning changes with the number.
    private const string Purpose = "hami.io/log-head 1";

    public static ExportedHead Sign(JournalHead head, SigningKey key)
    {
        var unsigned = new ExportedHead(head.Position, head.At.ToUniversalTime(), head.Hash, "");
        return unsigned with { Signature = new AllocationSignature(key.Id, key.Sign(unsigned.Message())).Encode() };
    }

    /// <summary>Reads a line of a heads file; null when it is none.</summary>
    public static ExportedHead? TryParse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<ExportedHead>(line, JsonSerializerOptions.Web) is { Hash: not null, Signature: not null } head ? head : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public string Line() => JsonSerializer.Serialize(this, JsonSerializerOptions.Web);

    /// <summary>What is signed.</summary>
    public byte[] Message() => Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"{Purpose}\n{Position}\n{At.UtcTicks / TimeSpan.TicksPerMicrosecond}\n{Hash}\n"));
}
