using Hami.Api.Replaying;

namespace Hami.Tests.Replaying;

/// <summary>Whoever changes the log behind the product's back is found, and the row is named.</summary>
public sealed class FindingTampering(TamperedLog log) : IClassFixture<TamperedLog>, IAsyncLifetime
{
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await log.RestoreAsync();

    [Fact]
    public async Task Untouched_it_is_intact() => Assert.Empty(await log.FindingsAsync("select 1", withHeads: true));

    // Position of the row that is named, and a part of what is said of it.
    [Theory]
    [InlineData("update hami.mt_events set data = jsonb_set(data, '{shares,0,memoryMiB}', '1') where seq_id = 5", "5 node/n1/0: its hash does not follow from its content")]
    [InlineData("update hami.mt_events set data = jsonb_set(data, '{shares,0,memoryMiB}', '1') where seq_id = 5", "5 node/n1/0: pod default/p2 was given 1 MiB and 0 % of GPU-n1; decided again it gets 1000 MiB and 0 % of GPU-n1")]
    [InlineData("update hami.mt_events set data = jsonb_set(data, '{pod}', '\"other\"') where seq_id = 5", "5 node/n1/0: its hash does not follow from its content")]
    [InlineData("update hami.mt_events set data = '{}' where seq_id = 5", "5 node/n1/0: it ca")]
    [InlineData("update hami.mt_events set type = 'allocation_bound' where seq_id = 5", "5 node/n1/0: its hash does not follow from its content")]
    [InlineData("update hami.mt_events set type = 'rumour' where seq_id = 5", "5 node/n1/0: it cannot be read: no event is stored under the name rumour")]
    [InlineData("update hami.mt_events set timestamp = timestamp - interval '1 hour' where seq_id = 5", "5 node/n1/0: its time")]
    [InlineData("update hami.mt_events set headers = headers - 'hash' where seq_id = 5", "5 node/n1/0: its hash is missing")]
    [InlineData("update hami.mt_events set headers = null where seq_id = 5", "5 node/n1/0: its hash is missing")]
    [InlineData("update hami.mt_events set headers = jsonb_set(headers, '{hash}', '\"00\"') where seq_id = 5", "5 node/n1/0: its hash does not follow from its content")]
    [InlineData("update hami.mt_events set headers = headers - 'allocationId' where seq_id = 5", "5 node/n1/0: the allocation beside its body is missing")]
    [InlineData("update hami.mt_events set is_archived = true where seq_id = 5", "5 node/n1/0: it is marked as archived")]
    [InlineData("update hami.mt_events set version = 40 where seq_id = 5", "5 node/n1/0: its hash follows, yet its stream lacks events 3 to 39 before it")]
    [InlineData("delete from hami.mt_events where seq_id = 5", "6 node/n2/0: its hash does not follow from its content and the row before it")]
    [InlineData("delete from hami.mt_events where seq_id = 5", "7 node/n1/0: its hash follows, yet its stream lacks event 3 before it")]
    [InlineData("delete from hami.mt_events where seq_id = 1", "2 node/n2/0: its hash does not follow from its content and the row before it")]
    [InlineData("update hami.mt_events set seq_id = case seq_id when 5 then -6 when 6 then -5 end where seq_id in (5, 6); update hami.mt_events set seq_id = -seq_id where seq_id < 0", "5 node/n2/0: its hash does not follow from its content and the row before it")]
    [InlineData("update hami.mt_events set seq_id = case seq_id when 5 then -6 when 6 then -5 end where seq_id in (5, 6); update hami.mt_events set seq_id = -seq_id where seq_id < 0", "6 node/n1/0: by its hash it follows row 4: the rows between were inserted there")]
    [InlineData("update hami.mt_events set seq_id = seq_id + 100 where seq_id > 5; insert into hami.mt_streams (id, version, tenant_id) values ('pod/x', 1, '*DEFAULT*'); insert into hami.mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type, headers) select 6, gen_random_uuid(), 'pod/x', 1, '{\"podUid\":\"x\"}', 'workload_withdrawn', timestamp, tenant_id, '', headers from hami.mt_events where seq_id = 5", "6 pod/x: its hash does not follow from its content and the row before it: it was changed or inserted")]
    [InlineData("update hami.mt_events set seq_id = seq_id + 100 where seq_id > 5; insert into hami.mt_streams (id, version, tenant_id) values ('pod/x', 1, '*DEFAULT*'); insert into hami.mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type, headers) select 6, gen_random_uuid(), 'pod/x', 1, '{\"podUid\":\"x\"}', 'workload_withdrawn', timestamp, tenant_id, '', '{\"hash\":\"00\"}' from hami.mt_events where seq_id = 5", "106 node/n2/0: by its hash it follows row 5: the rows between were inserted there")]
    [InlineData("delete from hami.mt_events where stream_id = 'pod/waits'", "14 node/n1/0: its hash does not follow")]
    [InlineData("delete from hami.mt_events where stream_id = 'pod/waits'", " pod/waits: the stream had 1 event, and none is there any more")]
    [InlineData("delete from hami.mt_events where seq_id > 10", "15 : journal_head says the log ends at row 15, but its last row is 10")]
    [InlineData("update hami.journal_head set hash = 'x'", "15 : the hash in journal_head is not that of the last row")]
    [InlineData("update hami.mt_streams set version = 9 where id = 'node/n1/0'", " node/n1/0: the stream had come to event 9, but its last event is 7")]
    [InlineData("update hami.mt_streams set is_archived = true where id = 'node/n1/0'", " node/n1/0: the stream is marked as closed, and no other goes on from it")]
    [InlineData("delete from hami.live_allocation where pod_uid = 'p5'", " node/n2/0: live_allocation lacks the row of pod p5")]
    [InlineData("update hami.live_allocation set memory_mib = 5 where pod_uid = 'p5'", " node/n2/0: live_allocation says of pod p5: n2, default, 5 MiB, 0 cores; by the log it is: n2, default, 1000 MiB, 0 cores")]
    [InlineData("insert into hami.live_allocation values ('ghost', 'n1', 'default', 1, 0)", " : live_allocation has a row of pod ghost")]
    [InlineData("update hami_read_2.allocation set memory_mib = 1 where pod = 'p5'", " : the read model allocation has the row")]
    [InlineData("update hami_read_2.usage set gpu_microseconds = gpu_microseconds + 1", " : the read model usage has the row")]
    [InlineData("delete from hami_read_2.refusal", " : the read model refusal lacks the row 13")]
    [InlineData("insert into hami_read_2.node values ('n9', 1, now(), now())", " : the read model node has the row n9, of which the log knows nothing")]
    [InlineData("update hami.read_models set position = 99", "99 : the read models have folded event 99, which the log does not have")]
    [InlineData("update hami.checkpoint set body = substring(body for 20)", "15 : the checkpoint there is not what the log folds to")]
    [InlineData("update hami.checkpoint set hash = 'x'", "15 : the checkpoint there is of another log")]
    [InlineData("update hami.checkpoint set position = 99", "99 : the checkpoint there is beyond the end of the log")]
    [InlineData("update hami.mt_events set data = jsonb_set(data, '{pod}', '\"other\"') where seq_id = 8", "15 : the checkpoint there is not what the log folds to")]
    public async Task Without_an_exported_head_the_row_is_named(string tamper, string named)
    {
        var findings = await log.FindingsAsync(tamper, withHeads: false);

        Assert.Contains(findings, f => f.StartsWith(named, StringComparison.Ordinal));
    }

    // The heads were exported at rows 6, 10 and 15.
    [Theory]
    [InlineData("update hami.mt_events set data = jsonb_set(data, '{pod}', '\"other\"') where seq_id = 8", "10 : the log was rewritten between rows 7 and 10")]
    [InlineData("update hami.mt_events set data = jsonb_set(data, '{pod}', '\"other\"') where seq_id = 1", "6 : the log was rewritten between rows 1 and 6")]
    [InlineData("update hami.mt_events set timestamp = timestamp + interval '1 microsecond' where seq_id >= 12", "15 : the log was rewritten between rows 11 and 15")]
    [InlineData("delete from hami.mt_events where seq_id = 8; update hami.mt_events set version = -version where stream_id = 'node/n2/0' and version > 4; update hami.mt_events set version = -version - 1 where version < 0; update hami.mt_streams set version = 6 where id = 'node/n2/0'", "10 : the log was rewritten between rows 7 and 10")]
    [InlineData("delete from hami.mt_events where stream_id = 'pod/waits'; delete from hami.mt_streams where id = 'pod/waits'", "15 : the log was rewritten between rows 11 and 15")]
    [InlineData("delete from hami.mt_events where seq_id > 10; update hami.mt_streams set version = (select max(version) from hami.mt_events where stream_id = mt_streams.id); delete from hami.mt_streams where version is null", "15 : the log was cut off: it ends at row 10, but had reached row 15")]
    [InlineData("delete from hami.mt_events; delete from hami.mt_streams; delete from hami.live_allocation", "6 : the log was cut off: it ends at row 0, but had reached row 6")]
    public async Task A_log_that_was_rewritten_with_all_its_hashes_is_found_by_the_exported_heads(string tamper, string named)
    {
        await log.SqlAsync(tamper);
        await log.RehashAsync();

        var unprotected = await log.FindingsAsync([]);
        var findings = await log.FindingsAsync(log.Heads);

        Assert.DoesNotContain(unprotected, f => f.Contains("hash", StringComparison.Ordinal));
        Assert.Contains(findings, f => f.StartsWith(named, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_head_that_somebody_else_signed_is_not_believed()
    {
        var file = HeadKeyFile.Create();
        var forged = ExportedHead.Sign(new(10, log.Heads[1]!.Hash, log.Heads[1]!.At), Hami.Api.Plumbing.SigningKey.Read(file));
        File.Delete(file);

        Assert.Contains(await log.FindingsAsync([forged]), f => f.StartsWith("10 : the head in line 1 of the heads file is not believed: it is signed with the key", StringComparison.Ordinal));
        Assert.Contains(await log.FindingsAsync([log.Heads[1]! with { Position = 9 }]), f => f.EndsWith("its signature does not fit", StringComparison.Ordinal));
        Assert.Contains(await log.FindingsAsync([null]), f => f.EndsWith("line 1 of the heads file is no exported head", StringComparison.Ordinal));
    }
}
