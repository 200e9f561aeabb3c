using System.Text.Json;
using Hami.Api.Archiving;
using Hami.Api.Asking;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;
using Hami.Tests.Given;

namespace Hami.Tests.Archiving;

/// <summary>What is answered of moments after the horizon is what was answered before history was archived; of earlier ones it is said where they are.</summary>
public sealed class MovingTheHorizon
{
    [Theory]
    [InlineData(11)]
    [InlineData(13)]
    public async Task Every_answer_about_later_moments_is_as_before_and_all_comes_back(int seed)
    {
        await using var scene = await ArchiveScene.StartAsync(seed, steps: 120);
        var (rows, models) = (await scene.RowsAsync(), await scene.ReadModelsAsync());
        var half = scene.Log[scene.Log.Count / 2].At;
        var moments = scene.Log.Where(e => e.At > half).Select(e => e.At).Distinct().Where((_, i) => i % 20 == 7).ToList();
        var before = await AnswersAsync(scene, half, moments);

        var report = await scene.ArchiveAsync(half);

        Assert.Equal(scene.Log.Last(e => e.At <= half).Position, report.Last);
        Assert.True(report.Deleted > 5, $"only {report.Deleted} rows left");
        Assert.Equal(rows.Count - (await scene.RowsAsync()).Count, scene.Log.Count(e => e.Position < report.Last) - (report.Kept - 1));
        Assert.Equal(before, await AnswersAsync(scene, half, moments));
        Assert.Equal([], await scene.FindingsAsync(withArchive: false));
        Assert.Equal([], await scene.FindingsAsync(withArchive: true));

        // The read models are those of before, less what had ended.
        var live = await scene.ReadModelsAsync();
        Assert.Subset(models.ToHashSet(StringComparer.Ordinal), live.ToHashSet(StringComparer.Ordinal));
        Assert.Equal(models.Where(IsUsage), live.Where(IsUsage));
        await scene.Build.RebuildAsync(CancellationToken.None);
        Assert.Equal(live, await scene.ReadModelsAsync());

        // A process that starts now has the same state.
        await using (var second = await TestJournal.StartAsync(scene.Connection))
            Assert.Equal(Text(scene.Journal.Journal.Ledger), Text(second.Journal.Ledger));

        var restored = await scene.RestoreAsync();
        Assert.Equal(1, restored.Files);
        Assert.Equal(rows, await scene.RowsAsync());
        Assert.Equal(models, await scene.ReadModelsAsync());
        Assert.Equal([], await scene.FindingsAsync(withArchive: false));
    }

    [Fact]
    public async Task What_happens_later_goes_on_where_history_left_off()
    {
        await using var scene = await ArchiveScene.StartAsync(21, steps: 60);
        await scene.ArchiveAsync(scene.At(0.7));
        await scene.GoOnAsync(22, steps: 60);
        await scene.Build.RebuildAsync(CancellationToken.None);
        Assert.Equal([], await scene.FindingsAsync(withArchive: true));

        await scene.ArchiveAsync(scene.At(0.7));
        await scene.GoOnAsync(23, steps: 30);
        await scene.Build.RebuildAsync(CancellationToken.None);

        Assert.Equal([], await scene.FindingsAsync(withArchive: false));
        Assert.Equal([], await scene.FindingsAsync(withArchive: true));
        await using var second = await TestJournal.StartAsync(scene.Connection);
        Assert.Equal(Text(scene.Journal.Journal.Ledger), Text(second.Journal.Ledger));
        // The script names pods again that had ended days before, and whose streams were forgotten.
        await scene.RestoreAsync();
        Assert.Equal([], await scene.FindingsAsync(withArchive: false));
    }

    [Fact]
    public async Task Of_moments_before_it_every_verb_says_where_they_are()
    {
        await using var scene = await ArchiveScene.StartAsync(31, steps: 60);
        var report = await scene.ArchiveAsync(scene.At(0.6));
        var early = ArchiveScene.Text(scene.Log[3].At);

        foreach (var verb in (string[])[
            $"replay --at {early}", $"audit explain pod-1 --at {early}", $"audit who GPU-node-0-0 --from {early}", $"whatif --policy spread --from {early}"])
        {
            var (code, output, error) = await scene.CallAsync(verb.Split(' '));
            Assert.Equal((1, ""), (code, output));
            Assert.Contains($"is before the horizon of the log: what happened up to event {report.Last}", error, StringComparison.Ordinal);
            Assert.Contains(report.File, error, StringComparison.Ordinal);
            Assert.Single(error.Trim().Split('\n'));
        }
        var (found, _, unknown) = await scene.CallAsync("audit", "explain", "nobody");
        Assert.Equal(1, found);
        Assert.Contains($"was moved to {report.File}", unknown, StringComparison.Ordinal);
        Assert.Contains("the horizon of the log", (await scene.CallAsync("audit", "who", "GPU-node-0-0")).Error, StringComparison.Ordinal);
        Assert.Equal(0, (await scene.CallAsync("replay", "--at", ArchiveScene.Text(report.At))).Code);
    }

    [Fact]
    public async Task Without_a_checkpoint_nothing_is_folded_from_the_middle()
    {
        await using var scene = await ArchiveScene.StartAsync(41, steps: 50);
        var report = await scene.ArchiveAsync(scene.At(0.6));
        await scene.SqlAsync("update hami.checkpoint set digest = ''");

        var (code, _, error) = await scene.CallAsync("replay");
        Assert.Equal(1, code);
        Assert.Contains($"there is no checkpoint at event {report.Last} or later that can be used", error, StringComparison.Ordinal);
        Assert.Contains(await scene.FindingsAsync(withArchive: false), f => f.Contains("the checkpoint at the horizon is missing or cannot be used", StringComparison.Ordinal));
        await using var session = scene.Journal.Store.QuerySession();
        await Assert.ThrowsAsync<ArchivedHistoryException>(() => LogReader.ReadOnAsync(session, LogPlace.Beginning, 5000, CancellationToken.None));

        await scene.RestoreAsync();
        await using var second = await TestJournal.StartAsync(scene.Connection);
        Assert.Equal(Text(scene.Journal.Journal.Ledger), Text(second.Journal.Ledger));
    }

    [Fact]
    public async Task Read_models_of_another_shape_say_what_to_do_about_the_rows_of_the_horizon()
    {
        await using var scene = await ArchiveScene.StartAsync(42, steps: 40);
        await scene.ArchiveAsync(scene.At(0.5));
        await scene.SqlAsync($"update {Horizon.Table} set shape = 1");

        var refused = await Assert.ThrowsAsync<ArchivedHistoryException>(() => scene.Build.RebuildAsync(CancellationToken.None));

        Assert.Contains($"of shape 1, not {ReadTables.Shape}", refused.Message, StringComparison.Ordinal);
        Assert.Contains("archive --restore", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rows_of_the_horizon_that_know_no_sizes_of_cards_are_brought_into_the_shape_of_today()
    {
        await using var scene = await ArchiveScene.StartAsync(43, steps: 120);
        await scene.ArchiveAsync(scene.At(0.5));
        var (today, held) = (await scene.ReadModelsAsync(), await HeldAsync());
        await scene.SqlAsync(
            $"""
            update {Horizon.Table} set shape = 2;
            drop table {ReadTables.SchemaOf(BaseRows.Generation)}.card_size;
            alter table {ReadTables.SchemaOf(BaseRows.Generation)}.holding drop column pods;
            alter table {ReadTables.SchemaOf(BaseRows.Generation)}.device drop column sized_at, drop column sized_position;
            """);
        await scene.Build.RebuildAsync(CancellationToken.None);

        Assert.Equal(today.Where(r => r.StartsWith("holding ", StringComparison.Ordinal)), (await scene.ReadModelsAsync()).Where(r => r.StartsWith("holding ", StringComparison.Ordinal)));
        Assert.Equal(held, await HeldAsync());
        Assert.Equal([], await scene.FindingsAsync(withArchive: false));
        Assert.Equal([], await scene.FindingsAsync(withArchive: true));
        await scene.GoOnAsync(44, steps: 20);
        await scene.Build.RebuildAsync(CancellationToken.None);
        await scene.ArchiveAsync(scene.At(0.9));
        Assert.Equal([], await scene.FindingsAsync(withArchive: false));

        async Task<string> HeldAsync()
        {
            using var rows = new Rows(scene.Connection);
            var trend = await new AllocationTrends(rows, scene.Time).ReadAsync(new(), scene.At(0.51), null, null, CancellationToken.None);
            return JsonSerializer.Serialize(trend.Points);
        }
    }

    [Fact]
    public async Task Streams_of_pods_that_ended_are_forgotten_after_a_day_and_no_others()
    {
        await using var scene = await ArchiveScene.StartAsync(51, steps: 120);
        var at = scene.Log[^10].At;
        // The clock of the process that archives stands at the horizon: nothing has rested for a day.
        var early = new Archive(scene.Journal.Database, new Hami.Api.Replaying.StoredEvents(), new Microsoft.Extensions.Time.Testing.FakeTimeProvider(scene.At(0.5)));
        Assert.Equal(0, (await early.RunAsync(scene.At(0.5), scene.Folder, CancellationToken.None)).Forgotten);
        scene.Time.Advance(TimeSpan.FromDays(2));
        var report = await scene.ArchiveAsync(at);

        Assert.True(report.Forgotten > 0);
        Assert.Empty(await scene.ColumnAsync("select id from hami.mt_streams s where id like 'pod/%' and not exists (select from hami.mt_events e where e.stream_id = s.id)"));
        Assert.Equal(
            scene.Log.Select(e => e.Stream).Where(s => !Streams.IsOfPod(s)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
            (await scene.ColumnAsync("select id from hami.mt_streams where id not like 'pod/%'")).Order(StringComparer.Ordinal));
        Assert.Equal([], await scene.FindingsAsync(withArchive: true));
    }

    private static bool IsUsage(string row) => row.StartsWith("usage ", StringComparison.Ordinal) || row.StartsWith("card_day ", StringComparison.Ordinal);

    private static string Text(ClusterLedger ledger) => JsonSerializer.Serialize(LedgerSnapshot.Of(ledger), Checkpoints.Json);

    private static async Task<List<string>> AnswersAsync(ArchiveScene scene, DateTimeOffset horizon, List<DateTimeOffset> moments)
    {
        var answers = new List<string>();
        // The script names pods again that have ended; in a cluster a UID comes once.
        var (now, then) = (scene.Journal.Journal.Ledger, scene.Log.Where(e => e.At <= horizon).Aggregate(ClusterLedger.Empty, Replay.Next));
        var live = now.LiveByPod.Keys.Concat(now.Waiting.Keys).Where(p => then.LiveByPod.ContainsKey(p) || then.Waiting.ContainsKey(p)).Order(StringComparer.Ordinal).Take(3).ToList();
        foreach (var at in moments.Select(ArchiveScene.Text))
        {
            answers.Add($"{await scene.AskAsync("replay", "--at", at)}");
            foreach (var pod in live)
            {
                var (_, output, error) = await scene.CallAsync("audit", "explain", pod, "--at", at, "--json");
                // Of a pod that was not there yet it is said, afterwards, where it might be.
                answers.Add(output.Length > 0 ? output : error.Split(" One that ended")[0].Trim());
            }
        }
        var from = ArchiveScene.Text(horizon.AddMicroseconds(1));
        answers.Add($"{await scene.AskAsync("audit", "who", "GPU-node-0-0", "--from", from)}");
        answers.Add($"{await scene.AskAsync("audit", "who", "GPU-node-1-0", "--from", from)}");
        answers.Add($"{await scene.AskAsync("whatif", "--policy", "spread/binpack", "--from", from, "--to", ArchiveScene.Text(scene.Time.GetUtcNow()))}");
        return answers;
    }
}
