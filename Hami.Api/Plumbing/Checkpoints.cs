using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Hami.Domain.Ledger;
using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>
/// The ledger as it was at some places of the log, so that a start, or a look at the past, folds only what follows. They can all
/// be lost where the log has everything; where it was archived, what follows is folded from the one at the <see cref="Horizon"/>.
/// </summary>
public sealed partial class Checkpoints(NpgsqlDataSource database, ILogger<Checkpoints> logger, int every = Checkpoints.Every) : BackgroundService
{
    private const int Every = 20_000; // events; folding so many takes about a second

    internal static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        // What can be computed is not stored.
        IgnoreReadOnlyProperties = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter() },
    };

    private readonly Channel<(ClusterLedger Ledger, LogPlace Place)> _due =
        Channel.CreateBounded<(ClusterLedger, LogPlace)>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    private long _last;

    /// <summary>SQL that creates the table when it is missing.</summary>
    internal static string Create => $"""

        create table if not exists {MartenSetup.Schema}.checkpoint (
            position bigint not null,
            format integer not null,
            hash text not null,
            digest bytea not null,
            body bytea not null,
            primary key (position, format));
        {Horizon.Create}
        """;

    /// <summary>Has the ledger stored when enough has happened since the last one; costs the caller nothing.</summary>
    internal void Consider(ClusterLedger ledger, LogPlace place)
    {
        if (ledger.EventCount / every == Interlocked.Read(ref _last) / every)
            return;
        Interlocked.Exchange(ref _last, ledger.EventCount);
        _due.Writer.TryWrite((ledger, place));
    }

    /// <summary>The newest usable checkpoint at or before a position; the empty ledger when there is none.</summary>
    /// <exception cref="ArchivedHistoryException">The position is before the log's horizon, or nothing can be folded from there on.</exception>
    internal async Task<(ClusterLedger Ledger, LogPlace Place)> NearestAsync(long position, CancellationToken cancellationToken)
    {
        var horizon = await Horizon.ReadAsync(database, cancellationToken);
        if (position < horizon?.Position)
            throw horizon.Before($"Event {position}");
        while (await RowAsync(position, horizon?.Position ?? 0, cancellationToken) is var (place, digest, body))
        {
            if (Read(place, digest, body) is { } ledger)
            {
                // A look at the past is no reason to store what was stored.
                if (ledger.EventCount > Interlocked.Read(ref _last))
                    Interlocked.Exchange(ref _last, ledger.EventCount);
                return (ledger, place);
            }
            position = place.Position - 1;
        }
        return horizon is null ? (ClusterLedger.Empty, LogPlace.Beginning) : throw horizon.WithoutCheckpoint();
    }

    /// <summary>One at a time: bodies are large, and the first will do.</summary>
    private async Task<(LogPlace Place, byte[] Digest, byte[] Body)?> RowAsync(long upTo, long from, CancellationToken cancellationToken)
    {
        // The event must stand there with the same hash: a checkpoint of another log is of no use.
        await using var command = database.CreateCommand($"""
            select c.position, c.hash, c.digest, c.body
            from {MartenSetup.Schema}.checkpoint c join {MartenSetup.Schema}.mt_events e on e.seq_id = c.position and e.headers ->> 'hash' = c.hash
            where c.format = $1 and c.position between $3 and $2 order by c.position desc limit 1
            """);
        command.Parameters.Add(new() { Value = LedgerSnapshot.Format });
        command.Parameters.Add(new() { Value = upTo });
        command.Parameters.Add(new() { Value = from });
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? (new LogPlace(row.GetInt64(0), row.GetString(1)), row.GetFieldValue<byte[]>(2), row.GetFieldValue<byte[]>(3))
            : null;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(StoreAsync, TimeProvider.System, logger, stoppingToken);

    private async Task StoreAsync(CancellationToken stoppingToken)
    {
        await foreach (var (ledger, place) in _due.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                await StoreAsync(ledger, place, stoppingToken);
            }
            catch (NpgsqlException e)
            {
                // The next one will do.
                LogNotStored(logger, place.Position, e);
            }
        }
    }

    /// <summary>Stores one; another process may have been faster.</summary>
    internal async Task StoreAsync(ClusterLedger ledger, LogPlace place, CancellationToken cancellationToken)
    {
        var body = Pack(LedgerSnapshot.Of(ledger));
        await using var command = database.CreateCommand($"""
            insert into {MartenSetup.Schema}.checkpoint (position, format, hash, digest, body) values ($1, $2, $3, $4, $5)
            on conflict (position, format) do update set hash = excluded.hash, digest = excluded.digest, body = excluded.body
            """);
        foreach (var value in new object[] { place.Position, LedgerSnapshot.Format, place.Hash, Digest(place, body), body })
            command.Parameters.Add(new() { Value = value });
        await command.ExecuteNonQueryAsync(cancellationToken);
        LogStored(logger, place.Position, body.Length >> 10);
    }

    private ClusterLedger? Read(LogPlace place, byte[] digest, byte[] body)
    {
        try
        {
            return Open(place, digest, body);
        }
        catch (InvalidDataException e)
        {
            LogUnusable(logger, place.Position, e);
            return null;
        }
    }

    /// <summary>The ledger that a checkpoint holds.</summary>
    /// <exception cref="InvalidDataException">It cannot be used.</exception>
    internal static ClusterLedger Open(LogPlace place, byte[] digest, byte[] body)
    {
        try
        {
            if (!digest.AsSpan().SequenceEqual(Digest(place, body)))
                throw new InvalidDataException("its digest is another");
            var snapshot = Unpack(body);
            return snapshot.Position == place.Position ? snapshot.ToLedger() : throw new InvalidDataException($"it holds position {snapshot.Position}");
        }
        catch (Exception e) when (e is JsonException or ArgumentException or NullReferenceException or InvalidOperationException)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    private static byte[] Pack(LedgerSnapshot snapshot)
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.Fastest))
            JsonSerializer.Serialize(brotli, snapshot, Json);
        return packed.ToArray();
    }

    internal static LedgerSnapshot Unpack(byte[] body)
    {
        using var packed = new MemoryStream(body);
        using var brotli = new BrotliStream(packed, CompressionMode.Decompress);
        return JsonSerializer.Deserialize<LedgerSnapshot>(brotli, Json) ?? throw new InvalidDataException("it is empty");
    }

    private static byte[] Digest(LogPlace place, byte[] body)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> position = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(position, place.Position);
        sha.AppendData(position);
        sha.AppendData(Encoding.UTF8.GetBytes(place.Hash));
        sha.AppendData(body);
        return sha.GetHashAndReset();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Stored a checkpoint at position {Position}, {KiB} KiB.")]
    private static partial void LogStored(ILogger logger, long position, int kiB);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The checkpoint at position {Position} was not stored; the next one will do.")]
    private static partial void LogNotStored(ILogger logger, long position, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The checkpoint at position {Position} cannot be used; an earlier one, or the log itself, takes its place.")]
    private static partial void LogUnusable(ILogger logger, long position, Exception exception);
}
