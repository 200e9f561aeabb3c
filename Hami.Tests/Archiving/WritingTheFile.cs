using Hami.Api.Archiving;

namespace Hami.Tests.Archiving;

/// <summary>Where the file cannot be written as it must, or the log is not as it should be, nothing is deleted.</summary>
public sealed class WritingTheFile
{
    [Fact]
    public async Task Whatever_is_in_the_way_is_said_in_a_sentence_and_nothing_leaves_the_database()
    {
        await using var scene = await ArchiveScene.StartAsync(61, steps: 40);
        var rows = await scene.RowsAsync();
        var before = ArchiveScene.Text(scene.At(0.5));
        var name = ArchiveFile.NameOf(1, scene.Log.Last(e => e.At <= scene.At(0.5)).Position);

        await RefusedAsync(1, "The folder /nowhere/at/all is not there", "--before", before, "--to", "/nowhere/at/all");
        await RefusedAsync(1, "There is nothing to archive", "--before", "2020-01-01", "--to", scene.Folder);
        await RefusedAsync(1, "There is nothing to put back", "--restore", scene.Folder);
        await RefusedAsync(1, "one of them", "--to", scene.Folder);
        await RefusedAsync(1, "Say where to", "--keep", "90d");
        await RefusedAsync(1, "is not a time such as 90d", "--keep", "soon", "--to", scene.Folder);
        await RefusedAsync(1, "give it alone", "--restore", scene.Folder, "--keep", "90d");

        // Another file has the name.
        await File.WriteAllTextAsync(Path.Combine(scene.Folder, name), "something else");
        await RefusedAsync(2, "is there already and holds something else", "--before", before, "--to", scene.Folder);
        File.Delete(Path.Combine(scene.Folder, name));

        // A disk that is full.
        File.CreateSymbolicLink(Path.Combine(scene.Folder, name + ".partial"), "/dev/full");
        await RefusedAsync(2, "No space left on device", "--before", before, "--to", scene.Folder);
        Assert.Empty(Directory.EnumerateFileSystemEntries(scene.Folder));

        // Rows that were changed: it is the last chance to look.
        await scene.SqlAsync("create table kept as table hami.mt_events; update hami.mt_events set data = jsonb_set(data, '{node}', '\"elsewhere\"') where seq_id = 1");
        await RefusedAsync(1, "The log is not intact, so nothing was archived", "--before", before, "--to", scene.Folder);
        await scene.SqlAsync("update hami.mt_events e set data = k.data from kept k where k.seq_id = e.seq_id");

        // Read models that are behind.
        await scene.SqlAsync("create table head as table hami.read_models; update hami.read_models set position = 3");
        await RefusedAsync(1, "The read models have folded the log up to event 3 only", "--before", before, "--to", scene.Folder);
        await scene.SqlAsync("update hami.read_models set position = (select position from head)");

        Assert.Equal(rows, await scene.RowsAsync());
        Assert.Empty(Directory.EnumerateFileSystemEntries(scene.Folder));
        Assert.Equal([], await scene.FindingsAsync(withArchive: false));
        var (code, text, _) = await scene.CallAsync("archive", "--before", before, "--to", scene.Folder);
        Assert.Equal((0, true), (code, text.Contains($"are in {name} now", StringComparison.Ordinal)));

        async Task RefusedAsync(int code, string sentence, params string[] arguments)
        {
            var (ended, output, error) = await scene.CallAsync(["archive", .. arguments]);
            Assert.Contains(sentence, output + error, StringComparison.Ordinal);
            Assert.Equal(code, ended);
        }
    }

    [Fact]
    public async Task The_last_commit_always_stays()
    {
        await using var scene = await ArchiveScene.StartAsync(62, steps: 30);

        var report = await scene.ArchiveAsync(scene.Time.GetUtcNow().AddDays(1));

        Assert.True(report.At < scene.Log[^1].At);
        Assert.Equal(scene.Log.Last(e => e.At < scene.Log[^1].At).Position, report.Last);
        await Assert.ThrowsAsync<NotArchivedException>(() => scene.ArchiveAsync(scene.Time.GetUtcNow().AddDays(1)));
    }

    [Fact]
    public async Task A_file_that_a_killed_run_has_left_is_taken_over()
    {
        await using var scene = await ArchiveScene.StartAsync(63, steps: 40);
        var before = scene.At(0.5);
        // Killed before its transaction: the file is there, and so is everything in the database.
        await scene.SqlAsync("create function hami.fail() returns trigger language plpgsql as 'begin raise exception ''killed''; end'; create trigger fails before insert on hami.horizon execute function hami.fail()");
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => scene.ArchiveAsync(before));
        Assert.Equal([], await scene.FindingsAsync(withArchive: false));
        await scene.SqlAsync("drop trigger fails on hami.horizon");

        var report = await scene.ArchiveAsync(before);

        Assert.Empty(report.LeftOver);
        Assert.Equal([], await scene.FindingsAsync(withArchive: true));
    }

    [Fact]
    public async Task What_a_killed_restore_has_begun_is_finished_by_the_next()
    {
        await using var scene = await ArchiveScene.StartAsync(64, steps: 60);
        var (rows, models) = (await scene.RowsAsync(), await scene.ReadModelsAsync());
        await scene.ArchiveAsync(scene.At(0.7));
        // Killed after the rows were put back, before the read models were built.
        await scene.SqlAsync("create function hami.fail() returns trigger language plpgsql as 'begin raise exception ''killed''; end'; create trigger fails before update on hami.read_models for each row when (new.generation <> old.generation) execute function hami.fail()");
        await Assert.ThrowsAsync<Npgsql.PostgresException>(scene.RestoreAsync);
        await scene.SqlAsync("drop trigger fails on hami.read_models");
        var refused = await Assert.ThrowsAsync<NotArchivedException>(() => scene.ArchiveAsync(scene.At(0.9)));
        Assert.Contains("being put back", refused.Message, StringComparison.Ordinal);

        Assert.Equal(0, (await scene.RestoreAsync()).Rows);

        Assert.Equal(rows, await scene.RowsAsync());
        Assert.Equal(models, await scene.ReadModelsAsync());
        Assert.Equal([], await scene.FindingsAsync(withArchive: false));
    }
}
