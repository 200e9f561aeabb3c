namespace Hami.Tests.Given;

/// <summary>Statements that keep a log as it is, and put it back as from a backup.</summary>
internal static class OlderLog
{
    public const string Keep = """
        create schema backup;
        create table backup.events as select * from hami.mt_events;
        create table backup.streams as select * from hami.mt_streams;
        create table backup.head as select * from hami.journal_head;
        create table backup.live as select * from hami.live_allocation;
        """;

    public const string PutBack = """
        set session_replication_role = replica;
        truncate hami.mt_events, hami.mt_streams, hami.journal_head, hami.live_allocation, hami.checkpoint;
        insert into hami.mt_streams select * from backup.streams;
        insert into hami.mt_events select * from backup.events;
        insert into hami.journal_head select * from backup.head;
        insert into hami.live_allocation select * from backup.live;
        set session_replication_role = origin;
        """;

    public const string PutNumbersBack = "select setval('hami.mt_events_sequence', (select coalesce(max(seq_id), 0) + 1 from hami.mt_events), false);";
}
