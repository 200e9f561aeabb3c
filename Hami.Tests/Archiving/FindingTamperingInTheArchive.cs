using System.IO.Compression;
using Hami.Api.Replaying;
using Hami.Tests.Replaying;

namespace Hami.Tests.Archiving;

/// <summary>Whoever changes what was archived, or what was kept of it, is found by a verification that is given the files.</summary>
public sealed class FindingTamperingInTheArchive
{
    [Fact]
    public async Task A_changed_file_and_a_changed_row_are_named()
    {
        await using var scene = await ArchiveScene.StartAsync(71, steps: 120);
        var report = await scene.ArchiveAsync(scene.At(0.6));
        var path = Path.Combine(scene.Folder, report.File);
        var original = await File.ReadAllBytesAsync(path);
        var lines = Unpack(original);

        // What was written, with one line changed, left out, or put elsewhere; and a file that is cut off, another one, or gone.
        await FoundAsync($"{report.First} : {report.File} is not the file that was written", () => File.WriteAllBytesAsync(path, Pack(lines)[..^1].Append((byte)0).ToArray()));
        await FoundAsync("2 ", () => WriteAsync([lines[0], lines[1].Replace("\"body\": {", "\"body\": {\"more\": 1, ", StringComparison.Ordinal).Replace("\"body\":{", "\"body\":{\"more\": 1, ", StringComparison.Ordinal), .. lines[2..]]), "its hash does not follow");
        await FoundAsync("3 ", () => WriteAsync([lines[0], .. lines[2..]]), "its hash does not follow");
        await FoundAsync($"{report.Last} : {report.File} has {report.Events - 1} events and ends at event", () => WriteAsync(lines[..^1]));
        await FoundAsync("", () => WriteAsync([.. lines[..5], "nonsense"]), "cannot be read from line 6 on");
        await FoundAsync("", () => File.WriteAllBytesAsync(path, original[..(original.Length / 2)]), "cannot be read from line");
        await FoundAsync("", () => Task.Run(() => File.Delete(path)), "is not in");

        // What was kept in the database.
        var kept = (await scene.ColumnAsync($"select seq_id::text from hami.mt_events where seq_id < {report.Last} order by seq_id"))[0];
        await scene.SqlAsync("create table before as table hami.mt_events");
        await ChangedAsync($"update hami.mt_events set data = jsonb_set(data, '{{pod}}', '\"other\"') where seq_id = {kept}", $"{kept} ", "is another than the one in the archive");
        await ChangedAsync($"delete from hami.mt_events where seq_id = {kept}", $"{kept} ", "it is not there any more");
        await ChangedAsync($"delete from hami.mt_events where seq_id = {report.Last}", $"{report.Last} ", "the row at the horizon, which what follows is chained to, is missing");
        await ChangedAsync($"update hami.mt_events set seq_id = -1 where seq_id = {kept}", "-1 ", "it was inserted");
        await ChangedAsync($"update hami.mt_events set headers = jsonb_set(headers, '{{hash}}', '\"x\"') where seq_id = {report.Last}", $"{report.Last} ", "has another hash");

        // What was made of it.
        await scene.SqlAsync("create table base as table hami_read_0.usage");
        await scene.SqlAsync("update hami_read_0.usage set gpu_microseconds = gpu_microseconds + 1");
        Assert.Contains(await scene.FindingsAsync(withArchive: true), f => f.Contains("rows kept of the horizon, in the read model usage has the row", StringComparison.Ordinal));
        Assert.Contains(await scene.FindingsAsync(withArchive: false), f => f.Contains("the read model usage has the row", StringComparison.Ordinal));
        await scene.SqlAsync("delete from hami_read_0.usage; insert into hami_read_0.usage select * from base");
        Assert.Equal([], await scene.FindingsAsync(withArchive: true));

        Task WriteAsync(string[] changed) => File.WriteAllBytesAsync(path, Pack(changed));

        async Task FoundAsync(string named, Func<Task> tamper, string what = "")
        {
            await tamper();
            Assert.Contains(await scene.FindingsAsync(withArchive: true), f => f.StartsWith(named, StringComparison.Ordinal) && f.Contains(what, StringComparison.Ordinal));
            var rows = await scene.RowsAsync();
            await Assert.ThrowsAsync<Hami.Api.Archiving.NotArchivedException>(scene.RestoreAsync);
            Assert.Equal(rows, await scene.RowsAsync());
            await File.WriteAllBytesAsync(path, original);
        }

        async Task ChangedAsync(string tamper, string named, string what)
        {
            await scene.SqlAsync(tamper);
            Assert.Contains(await scene.FindingsAsync(withArchive: true), f => f.StartsWith(named, StringComparison.Ordinal) && f.Contains(what, StringComparison.Ordinal));
            await scene.SqlAsync("delete from hami.mt_events; insert into hami.mt_events select * from before");
        }
    }

    [Fact]
    public async Task Heads_of_archived_events_are_compared_where_the_files_are_given()
    {
        await using var scene = await ArchiveScene.StartAsync(72, steps: 100);
        var key = HeadKeyFile.Create();
        var signing = Hami.Api.Plumbing.SigningKey.Read(key);
        File.Delete(key);
        var heads = new List<ExportedHead?>();
        foreach (var e in scene.Log.Where((_, i) => i % 10 == 9))
        {
            var hash = Assert.Single(await scene.ColumnAsync($"select headers->>'hash' from hami.mt_events where seq_id = {e.Position}"));
            heads.Add(ExportedHead.Sign(new(e.Position, hash, e.At), signing));
        }
        var report = await scene.ArchiveAsync(scene.At(0.6));
        var before = heads.Count(h => h!.Position < report.Last);

        var (without, with) = (await scene.VerifyAsync(withArchive: false, heads), await scene.VerifyAsync(withArchive: true, heads));
        Assert.Equal((true, heads.Count - before, before), (without.IsIntact, without.Heads, without.Horizon!.HeadsBefore));
        Assert.Equal((true, heads.Count, report.Events), (with.IsIntact, with.Heads, with.Horizon!.Read));
        Assert.Equal(scene.Log.Count, with.Events);

        var forged = heads.Select(h => h!.Position < report.Last ? h with { Hash = "00" } : h).ToList();
        Assert.Contains((await scene.VerifyAsync(withArchive: true, forged)).Findings, f => f.What.Contains("the log was rewritten between rows", StringComparison.Ordinal));
    }

    private static string[] Unpack(byte[] packed)
    {
        using var lines = new StreamReader(new GZipStream(new MemoryStream(packed), CompressionMode.Decompress));
        return lines.ReadToEnd().TrimEnd('\n').Split('\n');
    }

    private static byte[] Pack(IEnumerable<string> lines)
    {
        using var packed = new MemoryStream();
        using (var writer = new StreamWriter(new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)))
            writer.Write(string.Concat(lines.Select(l => l + "\n")));
        return packed.ToArray();
    }
}
