using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Marten;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Tests.Given;

/// <summary>A running journal over a database; several may share one, as replicas do.</summary>
internal sealed class TestJournal : IAsyncDisposable
{
    private TestJournal(IDocumentStore store, NpgsqlDataSource database, Journal journal)
    {
        Store = store;
        Database = database;
        Journal = journal;
    }

    public IDocumentStore Store { get; }

    public NpgsqlDataSource Database { get; }

    public Journal Journal { get; }

    public static async Task<TestJournal> StartAsync(string connectionString, TimeProvider? time = null)
    {
        var store = DocumentStore.For(options => MartenSetup.Configure(options, connectionString));
        var database = NpgsqlDataSource.Create(connectionString);
        var journal = new Journal(store, database, new LiveAllocationTable(), [], time ?? TimeProvider.System, NullLogger<Journal>.Instance);
        await journal.StartAsync(CancellationToken.None);
        await journal.Loaded.WaitAsync(TimeSpan.FromSeconds(60));
        return new(store, database, journal);
    }

    public async ValueTask DisposeAsync()
    {
        await Journal.StopAsync(CancellationToken.None);
        Journal.Dispose();
        await Database.DisposeAsync();
        Store.Dispose();
    }
}
