using Hami.NodeAgent.Installing;
using Hami.NodeAgent.Plumbing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Allocating;

public sealed class InstallingTheInterceptor : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-test-");

    private string Vgpu => Path.Combine(_folder.FullName, "hook", "vgpu");

    [Fact]
    public void Its_name_is_made_from_its_content_and_the_preload_file_names_it_as_containers_see_it()
    {
        var installed = Interceptor.Install(Library("one"), Vgpu);

        Assert.Matches("^libvgpu-[0-9a-f]{16}[.]so$", Path.GetFileName(installed));
        Assert.Equal("one", File.ReadAllText(installed));
        Assert.Equal(Path.Combine(Vgpu, "libvgpu.so") + "\n", File.ReadAllText(Path.Combine(Vgpu, "ld.so.preload")));
        Assert.Equal(2, Directory.GetFiles(Vgpu).Length);
        foreach (var file in Directory.GetFiles(Vgpu))
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead, File.GetUnixFileMode(file));
    }

    [Fact]
    [Trait("Scoreboard", "D14")]
    public void An_upgrade_leaves_the_file_that_programs_have_mapped_as_it_is()
    {
        var before = Interceptor.Install(Library("one"), Vgpu);
        using var mapped = File.OpenRead(before);
        var after = Interceptor.Install(Library("two"), Vgpu);

        Assert.NotEqual(before, after);
        Assert.Equal("one", new StreamReader(mapped, leaveOpen: true).ReadToEnd());
        Assert.Equal("one", File.ReadAllText(before));
    }

    [Fact]
    public void The_same_library_is_not_written_again()
    {
        var installed = Interceptor.Install(Library("one"), Vgpu);
        var longAgo = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(installed, longAgo);
        Interceptor.Install(Library("one"), Vgpu);
        Assert.Equal(longAgo, File.GetLastWriteTimeUtc(installed));
    }

    [Fact]
    public void One_half_written_by_an_agent_that_was_killed_is_put_right()
    {
        var installed = Interceptor.Install(Library("one"), Vgpu);
        File.WriteAllText(installed, "o");
        Assert.Equal(installed, Interceptor.Install(Library("one"), Vgpu));
        Assert.Equal("one", File.ReadAllText(installed));
    }

    [Fact]
    [Trait("Scoreboard", "D14")]
    public void Libraries_of_earlier_versions_go_once_no_container_would_be_started_with_them_again()
    {
        var (first, second, third) = (Interceptor.Install(Library("one"), Vgpu), Interceptor.Install(Library("two"), Vgpu), Interceptor.Install(Library("three"), Vgpu));
        // A container of an earlier agent names the first in the answer that the kubelet keeps; HAMi's own is not ours.
        File.WriteAllText(Path.Combine(Vgpu, "libvgpu.so.v2.10.0"), "HAMi's");
        IReadOnlySet<string>? kept = null;
        using var old = new OldLibraries(Allocating.NodePods.Options() with { HookPath = Path.GetDirectoryName(Vgpu)!, LibraryFile = third }, () => kept, TimeProvider.System, NullLogger<OldLibraries>.Instance);

        old.Once();
        Assert.Equal(5, Directory.GetFiles(Vgpu).Length);
        kept = new HashSet<string> { first };
        old.Once();
        Assert.Equal(new[] { first, third }.Order(StringComparer.Ordinal), Directory.GetFiles(Vgpu, "libvgpu-*").Order(StringComparer.Ordinal));
        Assert.False(File.Exists(second));
        kept = new HashSet<string>();
        old.Once();
        Assert.Equal([third], Directory.GetFiles(Vgpu, "libvgpu-*"));
        Assert.True(File.Exists(Path.Combine(Vgpu, "libvgpu.so.v2.10.0")));
    }

    [Fact]
    [Trait("Scoreboard", "D14")]
    public void A_container_keeps_the_library_it_was_given_and_the_next_gets_the_new_one()
    {
        var options = Allocating.NodePods.Options() with { HookPath = Path.GetDirectoryName(Vgpu)!, LibraryFile = Interceptor.Install(Library("one"), Vgpu) };
        new ContainerDirectories(options).Prepare("uid-p", "c0", "grant");
        var given = Inodes.Of(Path.Combine(Vgpu, "containers", "uid-p_c0", "libvgpu.so"));

        var after = options with { LibraryFile = Interceptor.Install(Library("two"), Vgpu) };
        File.Delete(options.LibraryFile);
        new ContainerDirectories(after).Prepare("uid-p", "c0", "grant");
        new ContainerDirectories(after).Prepare("uid-q", "c0", "grant");

        Assert.Equal(given, Inodes.Of(Path.Combine(Vgpu, "containers", "uid-p_c0", "libvgpu.so")));
        Assert.Equal("one", File.ReadAllText(Path.Combine(Vgpu, "containers", "uid-p_c0", "libvgpu.so")));
        Assert.Equal("two", File.ReadAllText(Path.Combine(Vgpu, "containers", "uid-q_c0", "libvgpu.so")));
    }

    [Fact]
    public void A_folder_of_HAMis_that_its_container_could_write_is_made_anew()
    {
        var options = Allocating.NodePods.Options() with { HookPath = Path.GetDirectoryName(Vgpu)!, LibraryFile = Interceptor.Install(Library("one"), Vgpu) };
        var place = Path.Combine(Vgpu, "containers", "uid-p_c0");
        Directory.CreateDirectory(place);
        File.SetUnixFileMode(place, (UnixFileMode)511);
        File.WriteAllText(Path.Combine(place, "limits"), "all there is");

        new ContainerDirectories(options).Prepare("uid-p", "c0", "grant");

        Assert.Equal("", File.ReadAllText(Path.Combine(place, "limits")));
        Assert.Equal((UnixFileMode)0, File.GetUnixFileMode(place) & (UnixFileMode.GroupWrite | UnixFileMode.OtherWrite));
    }

    [Fact]
    public void A_link_that_a_container_of_HAMi_left_behind_is_replaced_not_followed()
    {
        var options = Allocating.NodePods.Options() with { HookPath = Path.GetDirectoryName(Vgpu)!, LibraryFile = Interceptor.Install(Library("one"), Vgpu) };
        var place = Path.Combine(Vgpu, "containers", "uid-p_c0");
        Directory.CreateDirectory(place);
        var precious = Path.Combine(_folder.FullName, "precious");
        File.WriteAllText(precious, "precious");
        foreach (var name in new[] { "limits", "region", "libvgpu.so", "granted", ".new-limits", ".new-region", "agent" })
            File.CreateSymbolicLink(Path.Combine(place, name), precious);

        var directories = new ContainerDirectories(options);
        directories.Prepare("uid-p", "c0", "grant");
        directories.Fill("uid-p", "c0", "grant");

        Assert.Equal("precious", File.ReadAllText(precious));
        Assert.Equal("grant", File.ReadAllText(directories.LimitsOf("uid-p", "c0")));
        Assert.Equal("one", File.ReadAllText(directories.LibraryOf("uid-p", "c0")));
        Assert.All(new[] { "limits", "region", "libvgpu.so", "granted", "agent" }, name => Assert.Null(new FileInfo(Path.Combine(place, name)).LinkTarget));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private string Library(string content)
    {
        var path = Path.Combine(_folder.FullName, "libvgpu.so");
        File.WriteAllText(path, content);
        return path;
    }
}
