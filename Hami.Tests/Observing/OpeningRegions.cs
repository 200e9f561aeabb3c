using System.Diagnostics;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing;
using Hami.Tests.Allocating;

namespace Hami.Tests.Observing;

/// <summary>Regions where containers may write: whatever they make of the place, nothing hangs and nothing is followed.</summary>
public sealed class OpeningRegions : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("hami");
    private readonly ContainerDirectories directories;
    private readonly RegionFiles regions;
    private readonly string place;

    public OpeningRegions()
    {
        directories = new(NodePods.Options() with { HookPath = root.FullName });
        regions = new(directories);
        place = directories.Of("uid-a", "c0");
        Directory.CreateDirectory(place);
    }

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    [Trait("Node", "case 44")]
    public void The_region_is_the_file_that_ends_so_and_nothing_else()
    {
        File.WriteAllBytes(Path.Combine(place, "x.cache.bak"), new byte[8]);
        File.WriteAllBytes(Path.Combine(place, "libvgpu.so"), new byte[8]);
        Assert.Null(regions.Open("uid-a", "c0", writing: false));

        File.WriteAllBytes(Path.Combine(place, "x.cache"), new byte[77]);
        using var region = regions.Open("uid-a", "c0", writing: false);
        Assert.Equal(77, region!.Length);
    }

    [Fact]
    [Trait("Node", "case 44")]
    public void Where_there_are_three_none_is_believed()
    {
        foreach (var name in new[] { "a.cache", "b.cache", "c.cache" })
            File.WriteAllBytes(Path.Combine(place, name), new byte[8]);
        Assert.Contains("more than 2", Assert.Throws<IOException>(() => regions.Open("uid-a", "c0", writing: false)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_container_without_a_directory_or_with_an_empty_one_has_no_region_yet()
    {
        Assert.Null(regions.Open("uid-a", "c0", writing: false));
        Assert.Null(regions.Open("uid-b", "c0", writing: false));
    }

    [Fact]
    [Trait("Node", "case 51")]
    public void A_link_in_the_place_of_a_region_is_refused()
    {
        var elsewhere = Path.Combine(root.FullName, "shadow");
        File.WriteAllBytes(elsewhere, new RegionImage(RegionKind.Ours).Bytes);
        File.CreateSymbolicLink(Path.Combine(place, "x.cache"), elsewhere);
        Assert.Contains("link", Assert.Throws<IOException>(() => regions.Open("uid-a", "c0", writing: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Node", "case 51")]
    public void A_file_that_has_another_name_elsewhere_is_refused()
    {
        var elsewhere = Path.Combine(root.FullName, "other");
        File.WriteAllBytes(elsewhere, new byte[8]);
        Shell("ln", elsewhere, Path.Combine(place, "x.cache"));
        Assert.Throws<IOException>(() => regions.Open("uid-a", "c0", writing: true));
    }

    [Theory]
    [Trait("Node", "case 51")]
    [InlineData(false)]
    [InlineData(true)]
    public void A_pipe_in_the_place_of_a_region_holds_nobody_up(bool writing)
    {
        Shell("mkfifo", Path.Combine(place, "x.cache"));
        Assert.Throws<IOException>(() => regions.Open("uid-a", "c0", writing));
    }

    [Fact]
    [Trait("Scoreboard", "I10")]
    public void A_directory_in_the_place_of_a_region_is_refused()
    {
        Directory.CreateDirectory(Path.Combine(place, "x.cache"));
        Assert.Throws<IOException>(() => regions.Open("uid-a", "c0", writing: false));
        Assert.Throws<IOException>(() => regions.Open("uid-a", "c0", writing: true));
    }

    [Fact]
    [Trait("Scoreboard", "I10")]
    public void A_directory_full_of_files_is_not_searched_to_its_end()
    {
        for (var i = 0; i < 300; i++)
            File.WriteAllText(Path.Combine(place, $"{i}"), "");
        Assert.Contains("256 entries", Assert.Throws<IOException>(() => regions.Open("uid-a", "c0", writing: false)).Message, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Node", "case 51")]
    public void A_region_cut_off_after_it_was_opened_is_short_and_harms_nobody()
    {
        var path = Path.Combine(place, "x.cache");
        File.WriteAllBytes(path, new RegionImage(RegionKind.Ours).Card(0, "GPU-a").Process(0, 1).Bytes);
        using var region = regions.Open("uid-a", "c0", writing: true);
        using (var tenant = File.OpenWrite(path))
            tenant.SetLength(0);
        Assert.Equal(RegionState.Short, new RegionReading().Read(region!, _ => true));
        Assert.False(region!.Exchange(RegionLayout.V1.TailAt + RegionLayout.RecentAt, 0, 1));
        Assert.Equal(0, new FileInfo(path).Length);
    }

    [Fact]
    public void A_word_is_written_only_where_what_was_read_is_still_there()
    {
        var path = Path.Combine(place, "x.cache");
        File.WriteAllBytes(path, new RegionImage(RegionKind.HamiV1, extra: 1).Words(recent: 2).Bytes);
        using var region = regions.Open("uid-a", "c0", writing: true);
        var recentAt = RegionLayout.V1.TailAt + RegionLayout.RecentAt;

        Assert.False(region!.Exchange(recentAt, expected: 1, 0));
        Assert.True(region.Exchange(recentAt, expected: 2, -1));

        var bytes = File.ReadAllBytes(path);
        var alone = new RegionImage(RegionKind.HamiV1, extra: 1).Words(recent: -1).Bytes;
        Assert.Equal(alone, bytes);
    }

    private static void Shell(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
