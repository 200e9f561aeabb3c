using Hami.NodeAgent.Plumbing;

namespace Hami.Tests.Plumbing;

/// <summary>Files and folders of the node, of which containers may have made something else.</summary>
public sealed class TouchingHostFiles : IDisposable
{
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-files-");
    private readonly HostFiles _files = new();

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(40_000)]
    public void What_was_read_last_is_given_again_as_long_as_the_file_says_it(int length)
    {
        var path = At("file");
        var text = Enumerable.Range(0, length).Select(i => (byte)i).ToArray();
        File.WriteAllBytes(path, text);

        var first = _files.Read(path, last: null);
        Assert.Equal(text, first);
        Assert.Same(first, _files.Read(path, first));

        byte[][] others = [[.. text, 1], [.. text.SkipLast(1), 77], [.. text.Skip(1)]];
        foreach (var other in others)
        {
            File.WriteAllBytes(path, other);
            Assert.Equal(other, _files.Read(path, first));
        }
        File.Delete(path);
        Assert.Null(_files.Read(path, first));
    }

    [Fact]
    public void A_link_and_a_folder_are_no_files()
    {
        File.WriteAllText(At("file"), "x");
        File.CreateSymbolicLink(At("link"), At("file"));

        Assert.Equal((null, null), (_files.Length(At("link")), _files.Length(_folder.FullName)));
        Assert.Null(_files.Read(At("link"), "x"u8.ToArray()));
        Assert.Equal(1, _files.Length(At("file")));
    }

    [Fact]
    public void A_folder_has_its_mode_whatever_stood_in_its_place()
    {
        var other = _folder.CreateSubdirectory("other");
        File.CreateSymbolicLink(At("link"), other.FullName);
        File.WriteAllText(At("file"), "x");
        Directory.CreateDirectory(At("open"), Mode | UnixFileMode.OtherWrite);

        foreach (var name in (string[])["link", "file", "open", "new"])
        {
            _files.MakeFolder(At(name), Mode);
            _files.MakeFolder(At(name), Mode);

            var folder = new DirectoryInfo(At(name));
            Assert.Equal((true, null, Mode), (folder.Exists, folder.LinkTarget, folder.UnixFileMode));
        }
        Assert.True(other.Exists);
    }

    private string At(string name) => Path.Combine(_folder.FullName, name);
}
