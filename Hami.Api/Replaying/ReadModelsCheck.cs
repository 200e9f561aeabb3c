using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text.Json;
using Hami.Api.Archiving;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Domain.Ledger;
using Hami.Domain.Reading;
using Hami.Domain.Replaying;
using Npgsql;

namespace Hami.Api.Replaying;

/// <summary>Folds the log into the read models once more and compares every row with those in force. Of each row only a digest is kept.</summary>
internal sealed class ReadModelsCheck
{
    private const int TakenAtOnce = 1000;

    private readonly ReadHead? _head;
    private ReadModels _models;
    private UsageSums _usage = new();
    private readonly Dictionary<(string Table, string Key), UInt128> _expected = [];
    private long _last;
    private int _folded;
    private string? _broken;

    private readonly List<Finding> _findings = [];

    private ReadModelsCheck(ReadHead? head, BaseRows from)
    {
        (_head, _models) = (head, new(from.Open));
        Take(from.ToChanges());
    }

    /// <summary>Up to which event they were compared; null when there are none of this program's shape.</summary>
    public long? Position => _head?.Position;

    /// <summary>Begins a comparison with the read models in force.</summary>
    /// <param name="horizon">Where the rows that will be given begin; null for the first event.</param>
    public static async Task<ReadModelsCheck> ReadAsync(NpgsqlConnection database, Horizon? horizon, CancellationToken cancellationToken)
    {
        await using var exists = new NpgsqlCommand($"select to_regclass('{ReadTables.Head}') is not null", database);
        var head = (bool)(await exists.ExecuteScalarAsync(cancellationToken))! ? await ReadRows.HeadAsync(database, locked: false, cancellationToken) : null;
        if (head is not { Shape: ReadTables.Shape })
            return new(null, BaseRows.None);
        if (horizon is null)
            return new(head, BaseRows.None);
        return await BaseRows.ReadAsync(database, horizon, cancellationToken) is { } from
            ? new(head, from) { _last = horizon.Position }
            : new(head, BaseRows.None) { _broken = $"the read models cannot be compared: their rows as they were at the horizon, event {horizon.Position}, are missing or of another version" };
    }

    /// <summary>The rows given so far were archived: of those in the read models only what could still change was kept.</summary>
    public async Task PassedHorizonAsync(NpgsqlConnection database, Horizon horizon, CancellationToken cancellationToken)
    {
        if (_head is null || _broken is not null)
            return;
        // Rows of an earlier shape lack what is compared; the read models in force began with what those were made into.
        if (horizon.Shape != ReadTables.Shape && await BaseRows.ReadAsync(database, horizon, cancellationToken) is { } former)
        {
            (_models, _usage) = (new(former.Open), new());
            _expected.Clear();
            Take(former.ToChanges());
            return;
        }
        Take(_models.TakeChanges());
        _expected.Clear();
        Take(ReadChanges.Of(_models.Open));
        var expected = new Dictionary<(string Table, string Key), UInt128>(_expected);
        ExpectSums(expected);
        await CompareAsync(database, BaseRows.Generation, expected, "rows kept of the horizon, in ", _findings, cancellationToken);
    }

    public void Next(Recorded e)
    {
        if (_broken is not null || e.Position > _head?.Position || _head is null)
            return;
        try
        {
            _models.Apply(e.Position, e.At, e.Stream, e.Event);
            _last = e.Position;
        }
        catch (Exception broken)
        {
            _broken = $"the read models cannot be compared: event {e.Position} cannot be folded into them: {broken.Message}";
            return;
        }
        if (++_folded % TakenAtOnce == 0)
            Take(_models.TakeChanges());
    }

    public async Task<IReadOnlyList<Finding>> CompareAsync(NpgsqlConnection database, CancellationToken cancellationToken)
    {
        if (_head is null)
            return [];
        if (_broken is not null)
            return [new(null, null, _broken)];
        if (_last < _head.Position)
            _findings.Add(new(_head.Position, null, $"the read models have folded event {_head.Position}, which the log does not have"));
        Take(_models.TakeChanges());
        ExpectSums(_expected);
        await CompareAsync(database, _head.Generation, _expected, "", _findings, cancellationToken);
        return _findings;
    }

    private static async Task CompareAsync(
        NpgsqlConnection database, int generation, Dictionary<(string Table, string Key), UInt128> expected, string which, List<Finding> findings, CancellationToken cancellationToken)
    {
        await CompareAsync<AllocationRow>(ReadTables.Allocation);
        await CompareAsync<HoldingRow>(ReadTables.Holding);
        await CompareAsync<NodeRow>(ReadTables.Node);
        await CompareAsync<DeviceRow>(ReadTables.Device);
        await CompareAsync<CardSizeRow>(ReadTables.CardSize);
        await CompareAsync<RefusalRow>(ReadTables.Refusal);
        await CompareAsync<UsageRow>(ReadTables.UsageTable);
        await CompareAsync<CardDayRow>(ReadTables.CardDay);
        findings.AddRange(expected.Keys.Select(k => new Finding(null, null, $"{which}the read model {k.Table} lacks the row {k.Key}")));

        async Task CompareAsync<T>(ReadTable table)
        {
            await using var command = new NpgsqlCommand($"select row_to_json(t) from {ReadTables.SchemaOf(generation)}.{table.Name} t", database);
            await using var rows = await command.ExecuteReaderAsync(cancellationToken);
            while (await rows.ReadAsync(cancellationToken))
            {
                var (key, digest) = Digest(table, ReadJson.Row<T>(rows.GetString(0)));
                if (!expected.Remove((table.Name, key), out var meant))
                    findings.Add(new(null, null, $"{which}the read model {table.Name} has the row {key}, of which the log knows nothing"));
                else if (meant != digest)
                    findings.Add(new(null, null, $"{which}the read model {table.Name} has the row {key} otherwise than the log"));
            }
        }
    }

    private void ExpectSums(Dictionary<(string Table, string Key), UInt128> expected)
    {
        foreach (var row in _usage.Usage)
            Expect(ReadTables.UsageTable, row, expected);
        foreach (var row in _usage.Cards)
            Expect(ReadTables.CardDay, row, expected);
    }

    private void Take(ReadChanges changes)
    {
        foreach (var row in changes.Allocations)
            Expect(ReadTables.Allocation, row);
        foreach (var row in changes.Holdings)
            Expect(ReadTables.Holding, row);
        foreach (var row in changes.Nodes)
            Expect(ReadTables.Node, row);
        foreach (var row in changes.Devices)
            Expect(ReadTables.Device, row);
        foreach (var row in changes.Sizes)
            Expect(ReadTables.CardSize, row);
        foreach (var row in changes.Refusals)
            Expect(ReadTables.Refusal, row);
        foreach (var row in changes.Usage.Usage)
            _usage.Add(row);
        foreach (var row in changes.Usage.Cards)
            _usage.Add(row);
    }

    private void Expect<T>(ReadTable table, T row) => Expect(table, row, _expected);

    private static void Expect<T>(ReadTable table, T row, Dictionary<(string Table, string Key), UInt128> expected)
    {
        var (key, digest) = Digest(table, row);
        expected[(table.Name, key)] = digest;
    }

    private static (string Key, UInt128 Digest) Digest<T>(ReadTable table, T row)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(row, ReadJson.Options);
        using var json = JsonDocument.Parse(bytes);
        return (
            string.Join(' ', table.Key.Select(column => json.RootElement.GetProperty(column).ToString())),
            BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(bytes)));
    }
}
