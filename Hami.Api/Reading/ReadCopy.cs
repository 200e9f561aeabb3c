using Hami.Domain.Reading;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Fills the empty tables of a generation by COPY: a row is held back for as long as it can change, and written once.</summary>
/// <param name="rowsAtOnce">Rows that are written together.</param>
internal sealed class ReadCopy(NpgsqlConnection connection, int generation, int rowsAtOnce)
{
    private readonly Changing<Guid, AllocationRow> _allocations = new(ReadTables.Allocation, a => a.Id, a => a.ReleasedAt is not null);
    private readonly Changing<(Guid, string, int), HoldingRow> _holdings = new(ReadTables.Holding, h => (h.AllocationId, h.DeviceUuid, h.Part), h => h.HeldUntil is not null);
    private readonly Changing<long, RefusalRow> _refusals = new(ReadTables.Refusal, r => r.Position, r => r.EndedAt is not null);
    private readonly Changing<(string, string, long), CardSizeRow> _sizes = new(ReadTables.CardSize, s => (s.Node, s.Uuid, s.Position), s => s.SizedUntil is not null);
    // Nodes and cards may come back whenever they left; there are few.
    private readonly Changing<string, NodeRow> _nodes = new(ReadTables.Node, n => n.Name, _ => false);
    private readonly Changing<(string, string), DeviceRow> _devices = new(ReadTables.Device, d => (d.Node, d.Uuid), _ => false);
    private readonly Summed _usage = new(ReadTables.UsageTable);
    private readonly Summed _cardDays = new(ReadTables.CardDay);
    private UsageSums _sums = new();
    private int _sumsKept;

    private IEnumerable<Filling> All => [_allocations, _holdings, _nodes, _devices, _sizes, _refusals, _usage, _cardDays];

    /// <summary>Takes what has changed; writes when there is enough.</summary>
    public async Task AddAsync(ReadChanges changes, CancellationToken cancellationToken)
    {
        _allocations.Put(changes.Allocations);
        _holdings.Put(changes.Holdings);
        _nodes.Put(changes.Nodes);
        _devices.Put(changes.Devices);
        _sizes.Put(changes.Sizes);
        _refusals.Put(changes.Refusals);
        foreach (var row in changes.Usage.Usage)
            _sums.Add(row);
        foreach (var row in changes.Usage.Cards)
            _sums.Add(row);
        if (_sums.Usage.Count + _sums.Cards.Count > (2 * _sumsKept) + rowsAtOnce)
        {
            TakeSums(IsPast);
            _sumsKept = _sums.Usage.Count + _sums.Cards.Count;
        }
        if (All.Sum(f => f.Count) >= rowsAtOnce)
            await WriteAsync(cancellationToken);
    }

    /// <summary>Writes the rest: from now on every row is in its table.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        TakeSums((_, _, _) => true);
        foreach (var filling in All)
            filling.End();
        await WriteAsync(cancellationToken);
    }

    private void TakeSums(Func<DateOnly, string, string, bool> areFinal)
    {
        var open = new UsageSums();
        foreach (var row in _sums.Usage)
        {
            if (areFinal(row.Day, row.Node, row.DeviceUuid))
                _usage.Take(row);
            else
                open.Add(row);
        }
        foreach (var row in _sums.Cards)
        {
            if (areFinal(row.Day, row.Node, row.DeviceUuid))
                _cardDays.Take(row);
            else
                open.Add(row);
        }
        _sums = open;
    }

    /// <summary>Nothing is added any more to a day before the one that its card is accounted for; one that was forgotten at the log's horizon may come back.</summary>
    private bool IsPast(DateOnly day, string node, string device) =>
        _devices.Open.TryGetValue((node, device), out var card) && day < DateOnly.FromDateTime(card.AccountedTo.UtcDateTime);

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        foreach (var filling in All.Where(f => f.Count > 0))
            await filling.WriteAsync(connection, generation, cancellationToken);
    }

    /// <summary>Rows of one table, to be written.</summary>
    private abstract class Filling(ReadTable table)
    {
        private readonly CopyColumns _columns = new(table);
        private readonly List<object> _final = [];

        public int Count => _final.Count;

        public void Take(object row) => _final.Add(row);

        /// <summary>No row changes any more.</summary>
        public virtual void End()
        {
        }

        public async Task WriteAsync(NpgsqlConnection connection, int generation, CancellationToken cancellationToken)
        {
            await using var copy = await connection.BeginBinaryImportAsync(ReadSql.Copy(table, generation), cancellationToken);
            foreach (var row in _final)
                await _columns.WriteAsync(copy, row, cancellationToken);
            await copy.CompleteAsync(cancellationToken);
            _final.Clear();
        }
    }

    /// <summary>A table of sums.</summary>
    private sealed class Summed(ReadTable table) : Filling(table);

    /// <summary>A table whose rows change until they are final.</summary>
    private sealed class Changing<TKey, TRow>(ReadTable table, Func<TRow, TKey> keyOf, Func<TRow, bool> isFinal) : Filling(table) where TKey : notnull where TRow : class
    {
        /// <summary>Rows that can still change, as they are now.</summary>
        public Dictionary<TKey, TRow> Open { get; } = [];

        public void Put(IEnumerable<TRow> rows)
        {
            foreach (var row in rows)
            {
                if (!isFinal(row))
                    Open[keyOf(row)] = row;
                else
                {
                    Open.Remove(keyOf(row));
                    Take(row);
                }
            }
        }

        public override void End()
        {
            foreach (var row in Open.Values)
                Take(row);
            Open.Clear();
        }
    }
}
