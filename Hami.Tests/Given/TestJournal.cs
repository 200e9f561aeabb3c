using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Marten;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Tests.Given;

/// <summary>A running journal over a database; several may share one, as replicas do.</summary>
internal sealed class TestJournal : IAsyncDisposable
{
    private readonly IHostedService[] _services;

    private TestJournal(IDocumentStore store, NpgsqlDataSource database, Journal journal, Checkpoints checkpoints, IHostedService[] services)
    {
        _services = services;
        Checkpoints = checkpoints;
        Store = store;
        Database = database;
        Journal = journal;
    }

    public IDocumentStore Store { get; }

    public NpgsqlDataSource Database { get; }

    public Journal Journal { get; }

    public Checkpoints Checkpoints { get; }

    public static async Task<TestJournal> StartAsync(
        string connectionString, TimeProvider? time = null, int checkpointEvery = int.MaxValue, int longestEpoch = Epochs.Longest, TimeProvider? listening = null, params ILogFollower[] followers)
    {
        var store = DocumentStore.For(options => MartenSetup.Configure(options, connectionString));
        var database = NpgsqlDataSource.Create(connectionString);
        var checkpoints = new Checkpoints(database, NullLogger<Checkpoints>.Instance, checkpointEvery);
        var journal = new Journal(store, database, new LiveAllocationTable(), checkpoints, followers, time ?? TimeProvider.System, NullLogger<Journal>.Instance, longestEpoch);
        var listener = new LogListener(database, database, journal, listening ?? TimeProvider.System, NullLogger<LogListener>.Instance);
        IHostedService[] services = [checkpoints, listener, journal];
        foreach (var service in services)
            await service.StartAsync(CancellationToken.None);
        await journal.Loaded.WaitAsync(TimeSpan.FromSeconds(60));
        return new(store, database, journal, checkpoints, services);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in _services.Reverse())
        {
            await service.StopAsync(CancellationToken.None);
            (service as IDisposable)?.Dispose();
        }
        await Database.DisposeAsync();
        Store.Dispose();
    }
}
