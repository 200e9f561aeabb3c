using Hami.Api.Archiving;
using Hami.Lab.Cluster;
using Hami.Tests.Given;

namespace Hami.Tests.Archiving;

/// <summary>A process that archives is ended by <c>kill -9</c>: it leaves nothing, or what the next one finishes.</summary>
public sealed class BeingKilled
{
    // Long enough to be met in it; the server notices only then that its client is gone.
    private const string Sleeps = "create function hami.sleeps() returns trigger language plpgsql as 'begin perform pg_sleep(4); return null; end'";

    [Theory]
    [Trait("Category", "Long")]
    [InlineData("when the file is written and nothing else")]
    [InlineData("within its transaction")]
    [InlineData("while it forgets streams")]
    public async Task The_next_run_finishes_what_it_has_begun(string when)
    {
        await using var scene = await ArchiveScene.StartAsync(81, steps: 100);
        var (rows, before, last) = (await scene.RowsAsync(), scene.At(0.5), scene.Log.Last(e => e.At <= scene.At(0.5)).Position);
        var file = Path.Combine(scene.Folder, ArchiveFile.NameOf(1, last));
        // What a run that was killed earlier, while it wrote, has left.
        await File.WriteAllTextAsync(file + ".partial", "half a line");
        await using var holder = await scene.Journal.Database.OpenConnectionAsync();
        var hold = await holder.BeginTransactionAsync();
        switch (when)
        {
            case "when the file is written and nothing else":
                await using (var command = new Npgsql.NpgsqlCommand("lock table hami.checkpoint in access exclusive mode", holder))
                    await command.ExecuteNonQueryAsync();
                break;
            case "within its transaction":
                await scene.SqlAsync($"{Sleeps}; create trigger sleeps after insert on hami.horizon execute function hami.sleeps()");
                break;
            default:
                await scene.SqlAsync($"{Sleeps}; create trigger sleeps after delete on hami.mt_streams execute function hami.sleeps()");
                break;
        }

        await using (var process = await ChildProcess.StartAsync(
            "hami-api", ["dotnet", Path.Combine(AppContext.BaseDirectory, "hami-api.dll"), "archive", "--before", ArchiveScene.Text(before), "--to", scene.Folder, "--postgres", scene.Connection],
            Path.Combine(scene.Folder, "output"), stopSignal: Signals.Kill, environment: new Dictionary<string, string?>(StringComparer.Ordinal) { ["DOTNET_EnableDiagnostics"] = "0" }))
        {
            var waits = when.Contains("file", StringComparison.Ordinal) ? "wait_event_type = 'Lock' and query like '%hami.checkpoint%'" : "wait_event = 'PgSleep'";
            await ControlPlaneScene.UntilAsync(
                async () => process.HasExited || (await scene.ColumnAsync($"select pid::text from pg_stat_activity where datname = current_database() and {waits}")).Count > 0,
                () => "it does not come so far");
            Assert.False(process.HasExited, await File.ReadAllTextAsync(Path.Combine(scene.Folder, "output")));
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }
        await hold.RollbackAsync();
        Assert.True(File.Exists(file));
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.ColumnAsync("select pid::text from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'")).Count == 0, () => "the server goes on");

        var isDone = when == "while it forgets streams";
        Assert.Equal(isDone ? 1 : 0, (await scene.ColumnAsync("select file from hami.horizon")).Count);
        if (!isDone)
            Assert.Equal(rows, await scene.RowsAsync());
        Assert.Equal([], await scene.FindingsAsync(withArchive: isDone));
        await scene.SqlAsync("drop trigger if exists sleeps on hami.horizon; drop trigger if exists sleeps on hami.mt_streams");

        var report = await scene.ArchiveAsync(isDone ? scene.At(0.7) : before);

        Assert.True(report.Forgotten > 0);
        Assert.Empty(report.LeftOver);
        Assert.Empty(await scene.ColumnAsync("select id from hami.mt_streams s where id like 'pod/%' and not exists (select from hami.mt_events e where e.stream_id = s.id)"));
        Assert.Equal([], await scene.FindingsAsync(withArchive: true));
        await scene.RestoreAsync();
        Assert.Equal(rows, await scene.RowsAsync());
    }
}
