using Hami.NodeAgent.Partitioning;
using Microsoft.Extensions.Logging.Abstractions;
using static Hami.Tests.Partitioning.MigGiven;

namespace Hami.Tests.Partitioning;

/// <summary>The file that tells our instances from others'.</summary>
public sealed class KeepingTheBook : IDisposable
{
    private static readonly MadeInstance Fact = Entry(Pod("p", "c: 2g.10gb 2+2"), "2g.10gb 2+2", 0, "MIG-1");
    private static readonly MadeInstance Intent = Entry(Pod("q", "i: 1g.5gb 6+1"), "1g.5gb 6+1");

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("hami-book-");

    private string File => Path.Combine(folder.FullName, "vgpu", "mig.json");

    [Fact]
    public void What_one_agent_wrote_the_next_reads()
    {
        Open().Write([Fact, Intent]);
        Assert.Equal([Fact, Intent], Open().Made);
        Assert.Equal([File], Directory.GetFiles(Path.GetDirectoryName(File)!));
    }

    [Fact]
    public void Instances_do_not_outlive_a_boot_so_their_entries_do_not()
    {
        Open().Write([Fact]);
        Assert.Empty(Open(boot: "another").Made);
    }

    [Theory]
    [InlineData("")]
    [InlineData("oops")]
    [InlineData("{}")]
    [InlineData("""{"boot":"boot","made":[{"card":null}]}""")]
    [InlineData("""{"boot":"boot","made":[null]}""")]
    public void A_file_that_cannot_be_read_makes_nothing_ours(string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        System.IO.File.WriteAllText(File, text);
        var book = Open();
        Assert.Empty(book.Made);
        book.Write([Fact]);
        Assert.Equal([Fact], Open().Made);
    }

    [Fact]
    public void A_write_that_fails_leaves_the_book_as_it_was()
    {
        var book = Open();
        book.Write([Fact]);
        Directory.CreateDirectory(File + ".new");
        Assert.ThrowsAny<Exception>(() => book.Write([Fact, Intent]));
        Assert.Equal([Fact], book.Made);
    }

    [Fact]
    public async Task Two_agents_have_it_one_after_the_other_and_see_what_the_other_wrote()
    {
        var (old, young) = (Open(), Open());
        Assert.Empty(old.Made);
        var turn = await young.Enter(TestContext.Current.CancellationToken);
        var waiting = old.Enter(TestContext.Current.CancellationToken);
        young.Write([Fact]);
        Assert.False(waiting.IsCompleted);
        turn.Dispose();
        using (await waiting)
            old.Write(old.Made.Add(Intent));
        Assert.Equal([Fact, Intent], Open().Made);
    }

    public void Dispose() => folder.Delete(recursive: true);

    private MigBook Open(string boot = "boot") => new(File, boot, TimeProvider.System, NullLogger<MigBook>.Instance);
}
