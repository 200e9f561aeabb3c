using Hami.Api.Archiving;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Bench.History;
using Hami.Tests.Given;
using Marten;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Tests.Archiving;

/// <summary>A history as the benchmark has it is archived and comes back; what that costs is said.</summary>
public sealed class ALongHistory(ITestOutputHelper output)
{
    [Fact]
    [Trait("Category", "Long")]
    public async Task Most_of_it_leaves_the_database_and_comes_back()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        using var store = DocumentStore.For(options => MartenSetup.Configure(options, connection));
        await using var database = NpgsqlDataSource.Create(connection);
        var events = await new LedgerFilling(database, store).FillAsync(new SimulatedCluster(100, 5).Run(25_000), CancellationToken.None);
        var stored = new StoredEvents();
        var build = new ReadModelsBuild(database, stored, NullLogger<ReadModelsBuild>.Instance);
        await build.EnsureAsync(CancellationToken.None);
        var middle = await ScalarAsync<DateTime>("select timestamp from hami.mt_events where seq_id >= (select max(seq_id) * 9 / 10 from hami.mt_events) order by seq_id limit 1");
        var folder = Directory.CreateTempSubdirectory("hami-archive-");
        try
        {
            var wal = await ScalarAsync<decimal>("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')");
            var report = await new Archive(database, stored, TimeProvider.System).RunAsync(new(middle, TimeSpan.Zero), folder.FullName, CancellationToken.None);
            var written = await ScalarAsync<decimal>("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')") - wal;
            output.WriteLine($"{report.Events} of {events} events in {report.Seconds:F1} s, {new FileInfo(Path.Combine(folder.FullName, report.File)).Length / report.Events} bytes of the file each, {(long)written / report.Events} of WAL; {report.Kept} rows stay, {report.Forgotten} streams forgotten");
            Assert.True(report.Kept < report.Events / 10);

            Assert.Empty((await new LogVerification(database, stored).RunAsync([], null, CancellationToken.None)).Findings);
            Assert.Empty((await new LogVerification(database, stored).RunAsync([], null, CancellationToken.None, folder.FullName)).Findings);
            var restored = await new Restoring(database, build).RunAsync(folder.FullName, CancellationToken.None);
            output.WriteLine($"{restored.Rows} rows put back in {restored.Seconds:F1} s, {restored.ReadModels.Seconds:F1} of them for the read models");
            Assert.Empty((await new LogVerification(database, stored).RunAsync([], null, CancellationToken.None)).Findings);
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        async Task<T> ScalarAsync<T>(string sql)
        {
            await using var command = database.CreateCommand(sql);
            return (T)(await command.ExecuteScalarAsync())!;
        }
    }
}
