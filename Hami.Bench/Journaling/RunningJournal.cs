using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Marten;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Bench.Journaling;

/// <summary>The journal of one process, with what runs beside it.</summary>
internal sealed class RunningJournal : IAsyncDisposable, ILogFollower
{
    private readonly NpgsqlDataSource _database;
    private readonly DocumentStore _store;
    private readonly Checkpoints _checkpoints;
    private readonly LogListener _listener;
    private TaskCompletionSource _committed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private RunningJournal(string connectionString)
    {
        _database = NpgsqlDataSource.Create(connectionString);
        _store = DocumentStore.For(options => MartenSetup.Configure(options, connectionString));
        _checkpoints = new(_database, NullLogger<Checkpoints>.Instance);
        Journal = new(_store, _database, new LiveAllocationTable(), _checkpoints, [new ClusterView(TimeProvider.System), this], TimeProvider.System, NullLogger<Journal>.Instance);
        _listener = new(_database, _database, Journal, TimeProvider.System, NullLogger<LogListener>.Instance);
    }

    public Journal Journal { get; }

    /// <summary>How many commits it has folded, its own and others'.</summary>
    public int Commits { get; private set; }

    public static async Task<RunningJournal> StartAsync(string connectionString, CancellationToken ct)
    {
        var running = new RunningJournal(connectionString);
        await running._checkpoints.StartAsync(ct);
        await running._listener.StartAsync(ct);
        await running.Journal.StartAsync(ct);
        await running.Journal.Loaded.WaitAsync(ct);
        return running;
    }

    /// <summary>Completes when the log is folded up to a position.</summary>
    public async Task ReachedAsync(long position, CancellationToken ct)
    {
        while (true)
        {
            var next = Volatile.Read(ref _committed).Task;
            if (Journal.Ledger.Position >= position)
                return;
            await next.WaitAsync(ct);
        }
    }

    void ILogFollower.Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        Commits++;
        Interlocked.Exchange(ref _committed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await Journal.StopAsync(CancellationToken.None);
        await _listener.StopAsync(CancellationToken.None);
        await _checkpoints.StopAsync(CancellationToken.None);
        Journal.Dispose();
        _listener.Dispose();
        _checkpoints.Dispose();
        _store.Dispose();
        await _database.DisposeAsync();
    }
}
