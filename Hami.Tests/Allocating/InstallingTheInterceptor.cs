using Hami.NodeAgent.Installing;

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

    public void Dispose() => _folder.Delete(recursive: true);

    private string Library(string content)
    {
        var path = Path.Combine(_folder.FullName, "libvgpu.so");
        File.WriteAllText(path, content);
        return path;
    }
}
