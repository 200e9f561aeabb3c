using Hami.Api.Observing;
using Hami.Domain.Allocating;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Releasing;
using Hami.Tests.Given;
using Marten;

namespace Hami.Tests.Observing;

/// <summary>The history of allocations is a read model: thrown away, it comes back from the log as it was.</summary>
public sealed class RebuildingTheHistory
{
    private const int Nodes = 3;
    private const int Pods = 24;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Rebuilt_from_the_log_it_equals_the_one_that_followed_the_log_live()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        using var daemon = await journal.Store.BuildProjectionDaemonAsync();
        await daemon.StartAllAsync();
        // In three parts, so that the live one has folded events of the same allocation in different batches.
        for (var part = 0; part < 3; part++)
        {
            await LiveThrough(journal, part);
            await daemon.WaitForNonStaleData(Patience);
        }
        await daemon.StopAllAsync();
        var live = await RowsAsync(journal);
        AssertTellsWhatHappened(journal, live);

        await using (var damage = journal.Database.CreateCommand("delete from hami.mt_doc_allocationrecord where data->>'releasedAt' is null"))
            Assert.NotEqual(0, await damage.ExecuteNonQueryAsync());
        await daemon.RebuildProjectionAsync<AllocationHistory>(Patience, CancellationToken.None);

        Assert.Equal(live.Select(r => r.Json), (await RowsAsync(journal)).Select(r => r.Json));
    }

    /// <summary>Part 0 places and binds, 1 attaches and gives back some, 2 gives back more and places again under the same names.</summary>
    private static async Task LiveThrough(TestJournal journal, int part)
    {
        var pods = Enumerable.Range(0, Pods).Select(i => (Pod: $"pod-{i}", Node: $"node-{i % Nodes}", Index: i)).ToList();
        if (part == 0)
        {
            foreach (var node in pods.Select(p => p.Node).Distinct(StringComparer.Ordinal))
                await journal.Journal.DecideAsync<NodeEvent>(Streams.Node(node), _ => new NodeEvent.DevicesRegistered(node, [Asks.Card($"GPU-{node}", slots: Pods)]));
        }
        await Task.WhenAll(pods.Select(async p =>
        {
            switch (part)
            {
                case 0:
                    await Decide(p.Node, ledger => PlaceAllocationDecider.Decide(Asks.Place(Asks.Pod(p.Pod), p.Node), ledger));
                    await OnHeld(p.Node, p.Pod, (held, ledger) => ConfirmBoundDecider.Decide(new(p.Pod, held.Id), ledger));
                    break;
                case 1 when p.Index % 2 == 0:
                    await OnHeld(p.Node, p.Pod, (held, ledger) => ConfirmAttachedDecider.Decide(new(p.Pod, held.Id), ledger));
                    break;
                case 1 when p.Index % 3 == 0:
                    await OnHeld(p.Node, p.Pod, (held, ledger) => ReleaseAllocationDecider.Decide(new(p.Pod, held.Id, ReleaseReason.BindFailed), ledger));
                    break;
                case 2 when p.Index % 4 == 0:
                    await OnHeld(p.Node, p.Pod, (held, ledger) => ReleaseAllocationDecider.Decide(new(p.Pod, held.Id, ReleaseReason.Completed), ledger));
                    break;
                case 2 when p.Index % 3 == 0:
                    await Decide(p.Node, ledger => PlaceAllocationDecider.Decide(Asks.Place(Asks.Pod(p.Pod, memoryMiB: 500), p.Node), ledger));
                    break;
            }
        }));

        Task<Verdict<NodeEvent>> Decide(string node, Func<ClusterLedger, Verdict<NodeEvent>> decide) =>
            journal.Journal.DecideAsync(Streams.Node(node), decide);

        Task<Verdict<NodeEvent>> OnHeld(string node, string pod, Func<Allocation, ClusterLedger, Verdict<NodeEvent>> decide) => Decide(
            node, ledger => ledger.AllocationOf(pod) is { } held ? decide(held, ledger) : Verdict<NodeEvent>.Nothing);
    }

    private static void AssertTellsWhatHappened(TestJournal journal, List<(AllocationRecord Record, string Json)> rows)
    {
        var held = rows.Select(r => r.Record).Where(r => r.ReleasedAt is null).ToDictionary(r => r.PodUid, r => r.Id, StringComparer.Ordinal);
        Assert.Equal(
            journal.Journal.Ledger.LiveByPod.Select(l => (l.Key, l.Value.Id)).OrderBy(l => l.Key, StringComparer.Ordinal),
            held.Select(h => (h.Key, h.Value)).OrderBy(h => h.Key, StringComparer.Ordinal));
        Assert.Contains(rows, r => r.Record is { ReleaseReason: ReleaseReason.BindFailed, AttachedAt: null });
        Assert.Contains(rows, r => r.Record is { ReleaseReason: ReleaseReason.Completed, AttachedAt: not null });
        Assert.True(rows.Count > Pods, "no pod was placed a second time");
    }

    private static async Task<List<(AllocationRecord Record, string Json)>> RowsAsync(TestJournal journal)
    {
        var rows = new List<(AllocationRecord, string)>();
        await using var command = journal.Database.CreateCommand("select data from hami.mt_doc_allocationrecord order by id");
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var json = reader.GetString(0);
            using var stream = new MemoryStream(System.Text.Encoding.UTF8.GetBytes(json));
            rows.Add((((DocumentStore)journal.Store).Options.Serializer().FromJson<AllocationRecord>(stream), json));
        }
        return rows;
    }
}
