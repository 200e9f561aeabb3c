using Hami.Api.Measuring;
using Hami.Api.Plumbing;
using Npgsql;

namespace Hami.Api.Observing;

/// <summary>
/// Writes the sums of each period once it is over, over one connection of its own: it shares neither the journal's transaction nor its
/// connections. While PostgreSQL is away they wait, so many and no more.
/// </summary>
internal sealed partial class TelemetryRollups : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly LiveTelemetry _live;
    private readonly TimeProvider _time;
    private readonly ILogger<TelemetryRollups> _logger;
    private readonly NpgsqlDataSource _database;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _turn = new(1);
    // Each as it was taken, also when it is tried again: the database knows a row it has by its seconds.
    private readonly Queue<IReadOnlyList<UseRow>> _waiting = [];
    private HashSet<DateOnly> _known = [];
    private DateOnly _kept;
    private bool _said;

    public TelemetryRollups(LiveTelemetry live, string connectionString, TimeProvider time, ILogger<TelemetryRollups> logger)
    {
        (_live, _time, _logger) = (live, time, logger);
        _database = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString)
        {
            MaxPoolSize = 1, MinPoolSize = 0, ApplicationName = "hami-telemetry", CommandTimeout = 60,
        }.ConnectionString);
    }

    /// <summary>All sums that may not be in the database yet.</summary>
    public IReadOnlyCollection<UseRow> Unwritten
    {
        get
        {
            lock (_gate)
                return Merged(_waiting.SelectMany(rows => rows).Concat(_live.Nodes.SelectMany(n => n.Unwritten())));
        }
    }

    /// <summary>Sums of periods that are over and not yet written.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
                return _waiting.Sum(rows => rows.Count);
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            // What is summed up so far: whoever comes after us adds the rest.
            await WriteAsync(DateTimeOffset.MaxValue, cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or OperationCanceledException or System.Net.Sockets.SocketException)
        {
            LogUnwritten(_logger, Waiting, e.Message);
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _database.Dispose();
        _turn.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(WriteOnAsync, _time, _logger, stoppingToken);

    private async Task WriteOnAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, _time);
        do
        {
            try
            {
                await WriteAsync(_time.GetUtcNow() - TelemetryLimits.Grace - TelemetryLimits.Period, stoppingToken);
                _live.Forget();
                if (_said)
                    LogWritten(_logger);
                _said = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested && e is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
            {
                if (!_said)
                    LogUnwritten(_logger, Waiting, e.Message);
                _said = true;
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>Writes the sums of periods that began before, and what could not be written earlier.</summary>
    internal async Task WriteAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            Take(before);
            while (Next() is { } rows)
            {
                await KeepDaysAsync(rows.Select(r => Day(r.Key.Period)), cancellationToken);
                await TelemetryTables.WriteAsync(_database, [.. rows.Where(r => Day(r.Key.Period) >= Oldest)], cancellationToken);
                // What PostgreSQL was away for too long for: the totals of then are not whole.
                if (rows.Min(r => r.Key.Period) is var first && first < Final)
                    await TelemetryTotals.ForgetAsync(_database, first, cancellationToken);
                lock (_gate)
                    _waiting.Dequeue();
            }
            // Without telemetry there are no tables, and nothing is asked of PostgreSQL.
            if (_kept != default && _kept != Day(_time.GetUtcNow()))
                await KeepDaysAsync([], cancellationToken);
            while (_kept != default && await TelemetryTotals.AddUpAsync(_database, Final, cancellationToken))
                cancellationToken.ThrowIfCancellationRequested();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Of periods before this nothing more comes, from whichever process.</summary>
    private DateTimeOffset Final => _time.GetUtcNow() - TelemetryLimits.Late - TelemetryLimits.Period - TelemetryLimits.Grace - TelemetryLimits.Grace;

    private DateOnly Oldest => Day(_time.GetUtcNow() - TelemetryLimits.Kept);

    private IReadOnlyList<UseRow>? Next()
    {
        lock (_gate)
            return _waiting.TryPeek(out var rows) ? rows : null;
    }

    private void Take(DateTimeOffset before)
    {
        lock (_gate)
        {
            List<UseRow> taken = [.. _live.Nodes.SelectMany(n => n.Take(before))];
            if (taken.Count == 0)
                return;
            _waiting.Enqueue(taken);
            while (_waiting.Count > 1 && _waiting.Sum(rows => rows.Count) > TelemetryLimits.WaitingRows)
                Meters.NotKeptOf("unwritten", _waiting.Dequeue().Count);
        }
    }

    private async Task KeepDaysAsync(IEnumerable<DateOnly> days, CancellationToken cancellationToken)
    {
        var today = Day(_time.GetUtcNow());
        DateOnly[] wanted = [.. days.Append(today).Append(today.AddDays(1)).Distinct()];
        if (_kept == today && wanted.All(_known.Contains))
            return;
        await TelemetryTables.EnsureAsync(_database, cancellationToken);
        await TelemetryTables.KeepDaysAsync(_database, wanted, Oldest, cancellationToken);
        _known = [.. _known.Where(d => d >= Oldest), .. wanted];
        _kept = today;
    }

    private static DateOnly Day(DateTimeOffset at) => DateOnly.FromDateTime(at.UtcDateTime);

    private static Dictionary<UseRowKey, UseRow>.ValueCollection Merged(IEnumerable<UseRow> rows)
    {
        var merged = new Dictionary<UseRowKey, UseRow>();
        foreach (var row in rows)
            merged[row.Key] = merged.TryGetValue(row.Key, out var known) ? known with { Sums = known.Sums.Merge(row.Sums) } : row;
        return merged.Values;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The sums of telemetry could not be written; {Rows} wait for PostgreSQL: {Why}")]
    private static partial void LogUnwritten(ILogger logger, int rows, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "The sums of telemetry are written again.")]
    private static partial void LogWritten(ILogger logger);
}
