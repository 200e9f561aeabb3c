using System.Diagnostics;
using Hami.NodeAgent.Plumbing;
using Hami.Tests.Allocating;

namespace Hami.Tests.Observing;

/// <summary>What becomes of the folders of pods that are gone, whatever their containers left in them.</summary>
public sealed class RemovingFolders : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("hami");

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    [Trait("Scoreboard", "I10")]
    public void A_folder_goes_with_all_that_is_in_it()
    {
        Write("gone/a/b/c", "gone/a/d", "gone/e", "stays/a");
        FolderTree.Remove(Of("gone"));
        Assert.Equal(["stays"], Names());
        FolderTree.Remove(Of("gone")); // once more is no fault
        FolderTree.Remove(Path.Combine(root.FullName, "nowhere", "at all"));
    }

    [Fact]
    [Trait("Scoreboard", "I10")]
    public void What_a_link_points_to_stays_wherever_the_link_is()
    {
        Write("keep/treasure", "gone/a/x");
        File.CreateSymbolicLink(Of("gone/link"), Of("keep"));
        File.CreateSymbolicLink(Of("gone/a/link"), Of("keep"));
        File.CreateSymbolicLink(Of("also-gone"), Of("keep"));
        FolderTree.Remove(Of("gone"));
        FolderTree.Remove(Of("also-gone"));
        Assert.Equal(["keep"], Names());
        Assert.True(File.Exists(Of("keep/treasure")));
    }

    [Fact]
    [Trait("Scoreboard", "I10")]
    public void No_depth_and_no_name_keeps_a_folder()
    {
        Directory.CreateDirectory(Of("gone"));
        // Deeper than a path can be long, and names that are no text.
        Shell("""cd "$0/gone" && for i in $(seq 400); do mkdir aaaaaaaaaaaaaaaaaaaaaaaaa .hami-$i 2>/dev/null; cd -P aaaaaaaaaaaaaaaaaaaaaaaaa || exit 1; done; : > "$(printf '\377\376')"; mkdir "$(printf '\200')"; : > "$(printf '\200')/x" """);
        FolderTree.Remove(Of("gone"));
        Assert.Empty(Names());
    }

    [Fact]
    [Trait("Scoreboard", "I10")]
    public async Task A_folder_exchanged_for_a_link_again_and_again_never_leads_elsewhere()
    {
        for (var i = 0; i < 200; i++)
            Write($"keep/{i}");
        Write("gone/a/x", "gone/b");
        using var stop = new CancellationTokenSource();
        var tenant = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
                try
                {
                    Directory.CreateDirectory(Of("gone/a/d"));
                    File.WriteAllText(Of("gone/a/d/y"), "");
                    Directory.Move(Of("gone/a"), Of("gone/aside"));
                    File.CreateSymbolicLink(Of("gone/a"), Of("keep"));
                    File.Delete(Of("gone/a"));
                    Directory.Move(Of("gone/aside"), Of("gone/a"));
                }
                catch (IOException)
                {
                    // The other was faster.
                }
        });
        for (var i = 0; i < 200; i++)
        {
            try
            {
                FolderTree.Remove(Of("gone"));
            }
            catch (IOException)
            {
                // There was more in it again.
            }
            Directory.CreateDirectory(Of("gone"));
        }
        await stop.CancelAsync();
        await tenant;
        Assert.Equal(200, Directory.GetFiles(Of("keep")).Length);
    }

    [Fact]
    [Trait("Scoreboard", "I10")]
    [Trait("Node", "case 47")]
    public void Only_a_pod_and_a_container_make_a_name_that_is_ours()
    {
        var directories = new ContainerDirectories(NodePods.Options() with { HookPath = root.FullName });
        Write("vgpu/containers/nodashes/x", "vgpu/containers/uid_/x", "vgpu/containers/_c/x", "vgpu/containers/uid-p_c", "vgpu/containers/uid-a_c0/x.cache", "vgpu/containers/uid-a_c_1/x", "vgpu/containers/uid-ab_c0/x");
        Assert.Equal(["uid-a", "uid-ab"], directories.Ages(TimeProvider.System.GetUtcNow()).Keys.Order());

        directories.Remove("uid-a");
        Assert.Equal(["_c", "nodashes", "uid-ab_c0", "uid-p_c", "uid_"], Directory.GetFileSystemEntries(Of("vgpu/containers")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    private string Of(string path) => Path.Combine(root.FullName, path);

    private IEnumerable<string?> Names() => Directory.GetFileSystemEntries(root.FullName).Select(Path.GetFileName).Order(StringComparer.Ordinal);

    private void Write(params string[] files)
    {
        foreach (var file in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Of(file))!);
            File.WriteAllText(Of(file), "");
        }
    }

    private void Shell(string script)
    {
        using var process = Process.Start("sh", ["-c", script, root.FullName]);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
