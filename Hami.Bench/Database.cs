using System.Globalization;
using Npgsql;

namespace Hami.Bench;

/// <summary>PostgreSQL as it says it is set, and what it has done so far.</summary>
/// <param name="Version">Its <c>server_version</c>.</param>
/// <param name="Fsync">Its <c>fsync</c>: on, or what is committed may be lost with the machine.</param>
/// <param name="SynchronousCommit">Its <c>synchronous_commit</c>: on, or a commit is answered before it is on disk.</param>
/// <param name="Commits">Transactions committed in our database.</param>
/// <param name="Syncs">Times that the log was forced to the disk; null where the version does not count them.</param>
internal sealed record Database(string Version, string Fsync, string SynchronousCommit, long Commits, long? Syncs)
{
    public bool IsDurable => Fsync == "on" && SynchronousCommit == "on";

    public static async Task<Database> LookAsync(NpgsqlDataSource source, CancellationToken ct)
    {
        return new(
            await Ask("select current_setting('server_version')"),
            await Ask("select current_setting('fsync')"),
            await Ask("select current_setting('synchronous_commit')"),
            Number(await Ask("select xact_commit::text from pg_stat_database where datname = current_database()")),
            // PostgreSQL 14 to 17; later ones count elsewhere.
            await Ask("select count(*)::text from information_schema.columns where table_name = 'pg_stat_wal' and column_name = 'wal_sync'") == "1"
                ? Number(await Ask("select wal_sync::text from pg_stat_wal"))
                : null);

        async Task<string> Ask(string sql)
        {
            await using var command = source.CreateCommand(sql);
            return (string)(await command.ExecuteScalarAsync(ct))!;
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
