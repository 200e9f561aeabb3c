using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace Hami.Api.Access.SigningIn;

/// <summary>
/// Keeps a token for the moment between the provider's answer and the page that asks for it: sealed with a key that only the ticket
/// in the browser's cookie yields, given out once, whichever replica is asked, and no later than in a minute.
/// </summary>
/// <remarks>Not in the cookie itself: one of 4 KiB and more is cut up or refused by browsers and proxies on the way, and could be used twice.</remarks>
internal sealed class HandOver(NpgsqlDataSource database)
{
    /// <summary>How long a page may take to come for its token.</summary>
    public static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(60);

    private const int TicketBytes = 32;
    private const int TagBytes = 16;

    // Each key seals one text.
    private static readonly byte[] Nonce = new byte[12];

    /// <summary>Keeps a token; returns the ticket that it is given out for.</summary>
    public async Task<string> KeepAsync(string token, CancellationToken cancellationToken)
    {
        var ticket = RandomNumberGenerator.GetBytes(TicketBytes);
        var text = Encoding.UTF8.GetBytes(token);
        var kept = new byte[text.Length + TagBytes];
        using (var cipher = new AesGcm(KeyOf(ticket), TagBytes))
            cipher.Encrypt(Nonce, text, kept.AsSpan(..text.Length), kept.AsSpan(text.Length..));
        await using var command = database.CreateCommand(
            $"with old as (delete from {SignInTables.Handed} where until < now()) insert into {SignInTables.Handed} (id, sealed, until) values ($1, $2, now() + $3)");
        command.Parameters.Add(new() { Value = IdOf(ticket) });
        command.Parameters.Add(new() { Value = kept });
        command.Parameters.Add(new() { Value = GoodFor });
        await command.ExecuteNonQueryAsync(cancellationToken);
        return Base64Url.EncodeToString(ticket);
    }

    /// <summary>Gives a token out for its ticket; null for a ticket that is none, was used or is too old.</summary>
    public async Task<string?> TakeAsync(string ticket, CancellationToken cancellationToken)
    {
        var bytes = new byte[TicketBytes];
        if (!Base64Url.IsValid(ticket, out var length) || length != TicketBytes || !Base64Url.TryDecodeFromChars(ticket, bytes, out _))
            return null;
        await using var command = database.CreateCommand($"delete from {SignInTables.Handed} where id = $1 returning sealed, until > now()");
        command.Parameters.Add(new() { Value = IdOf(bytes) });
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        if (!await row.ReadAsync(cancellationToken) || !row.GetBoolean(1))
            return null;
        var kept = row.GetFieldValue<byte[]>(0);
        var text = new byte[kept.Length - TagBytes];
        using var cipher = new AesGcm(KeyOf(bytes), TagBytes);
        cipher.Decrypt(Nonce, kept.AsSpan(..text.Length), kept.AsSpan(text.Length..), text);
        return Encoding.UTF8.GetString(text);
    }

    private static byte[] IdOf(byte[] ticket) => HKDF.DeriveKey(HashAlgorithmName.SHA256, ticket, 32, info: "id"u8.ToArray());

    private static byte[] KeyOf(byte[] ticket) => HKDF.DeriveKey(HashAlgorithmName.SHA256, ticket, 32, info: "key"u8.ToArray());
}
