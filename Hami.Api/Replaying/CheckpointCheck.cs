using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;
using Npgsql;

namespace Hami.Api.Replaying;

/// <summary>Compares every checkpoint of this program's format with the state that was folded anew to its position.</summary>
internal sealed class CheckpointCheck
{
    private readonly Queue<(long Position, string Hash, byte[] Digest, byte[] Body)> _kept;
    private readonly List<Finding> _findings = [];

    private CheckpointCheck(Queue<(long, string, byte[], byte[])> kept) => _kept = kept;

    public IReadOnlyList<Finding> Findings => _findings;

    public static async Task<CheckpointCheck> ReadAsync(NpgsqlConnection database, CancellationToken cancellationToken)
    {
        var kept = new Queue<(long, string, byte[], byte[])>();
        await using var command = new NpgsqlCommand($"select position, hash, digest, body from {MartenSetup.Schema}.checkpoint where format = $1 order by position", database);
        command.Parameters.Add(new() { Value = LedgerSnapshot.Format });
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
            kept.Enqueue((rows.GetInt64(0), rows.GetString(1), rows.GetFieldValue<byte[]>(2), rows.GetFieldValue<byte[]>(3)));
        return new(kept);
    }

    /// <summary>The state at a place, as its checkpoint holds it; null when there is none that can be used.</summary>
    public ClusterLedger? Open(LogPlace place)
    {
        try
        {
            return _kept.FirstOrDefault(k => k.Position == place.Position && k.Hash == place.Hash) is { Body: { } body, Digest: var digest } ? Checkpoints.Open(place, digest, body) : null;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>The state after a row.</summary>
    public void Next(LogPlace row, ClusterLedger folded)
    {
        while (_kept.TryPeek(out var kept) && kept.Position <= row.Position)
        {
            _kept.Dequeue();
            if (kept.Position < row.Position || kept.Hash != row.Hash)
                Found(kept.Position, "the checkpoint there is of another log: it is not used");
            else if (Text(kept.Body) != JsonSerializer.Serialize(LedgerSnapshot.Of(folded), Checkpoints.Json))
                Found(kept.Position, "the checkpoint there is not what the log folds to");
        }
    }

    /// <summary>The log ends here.</summary>
    public void End()
    {
        foreach (var (position, _, _, _) in _kept)
            Found(position, "the checkpoint there is beyond the end of the log: it is not used");
    }

    private static string? Text(byte[] body)
    {
        try
        {
            return JsonSerializer.Serialize(Checkpoints.Unpack(body), Checkpoints.Json);
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private void Found(long position, string what) => _findings.Add(new(position, null, what));
}
