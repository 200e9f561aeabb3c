using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>Where the log ends.</summary>
/// <param name="Position">Sequence of the last event; 0 for an empty log.</param>
/// <param name="Hash">Its hash in the chain.</param>
/// <param name="At">Its time; the next event is not older.</param>
internal sealed record JournalHead(long Position, string Hash, DateTimeOffset At);

/// <summary>The head of the log and the lock around it: one small row, written in the transaction that appends.</summary>
internal static class JournalTables
{
    // Any number will do that nobody else in this database locks: "hami" in ASCII.
    private const long WriterLock = 0x68616d69;

    /// <summary>Finds the events of an allocation. Every append pays for it, so it is the only one of ours there.</summary>
    public const string AllocationIndex = "log_allocation";

    private const string Create = $"""
        create table if not exists {MartenSetup.Schema}.journal_head (
            id integer primary key default 1 check (id = 1),
            position bigint not null,
            hash text not null,
            at timestamptz not null);
        insert into {MartenSetup.Schema}.journal_head (position, hash, at) values (0, '', '-infinity') on conflict do nothing;
        create index if not exists {AllocationIndex} on {MartenSetup.Schema}.mt_events ((headers->>'allocationId'));
        """;

    public static async Task EnsureAsync(NpgsqlDataSource database, string companionTables, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Create + companionTables);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Waits for the one writer's turn, until the transaction ends, and reads the head.</summary>
    public static async Task<JournalHead> LockAsync(NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        // One round trip, yet three statements: under READ COMMITTED the last sees what the writer before us committed.
        await using var batch = new NpgsqlBatch(transaction.Connection, transaction)
        {
            BatchCommands =
            {
                // A holder that hangs must not stop the cluster: PostgreSQL ends its session. And the append is planned once for each
                // connection: its plan is the same for every group, and making it takes longer than what it does.
                new("select set_config('idle_in_transaction_session_timeout', '10s', true), set_config('plan_cache_mode', 'force_generic_plan', true)"),
                new("select pg_advisory_xact_lock($1)") { Parameters = { new() { Value = WriterLock } } },
                new($"select position, hash, case when at = '-infinity' then 'epoch' else at end from {MartenSetup.Schema}.journal_head"),
            },
        };
        await batch.PrepareAsync(cancellationToken);
        await using var row = await batch.ExecuteReaderAsync(cancellationToken);
        await row.NextResultAsync(cancellationToken);
        await row.NextResultAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return new(row.GetInt64(0), row.GetString(1), row.GetFieldValue<DateTimeOffset>(2));
    }
}
