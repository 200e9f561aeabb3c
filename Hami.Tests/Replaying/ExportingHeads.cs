using Hami.Api.Plumbing;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Tests.Given;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Replaying;

/// <summary>The running control plane appends the log's signed head to a file, now and then and at its stop.</summary>
public sealed class ExportingHeads : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly string _key = HeadKeyFile.Create();
    private readonly string _file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
    private readonly FakeTimeProvider _time = new();

    public void Dispose()
    {
        File.Delete(_key);
        File.Delete(_file);
    }

    [Fact]
    public async Task A_head_that_has_moved_is_appended_and_believed()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await Register(journal, "n1");
        using var export = Export(journal, _file);
        await export.StartAsync(CancellationToken.None);
        await Eventually(() => Heads().Count == 1);

        _time.Advance(TimeSpan.FromMinutes(1));
        _time.Advance(TimeSpan.FromMinutes(1));
        await Register(journal, "n2");
        await Eventually(() =>
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            return Heads().Count == 2;
        });
        await Register(journal, "n3");
        await export.StopAsync(CancellationToken.None);

        Assert.Equal([1, 2, 3], Heads().Select(h => h!.Position));
        var report = await new LogVerification(journal.Database, new StoredEvents()).RunAsync(Heads(), HeadKeys.Read([_key]), CancellationToken.None);
        Assert.Empty(report.Findings);
        Assert.Equal((3, 3L, true), (report.Heads, report.ProtectedTo, report.SignaturesChecked));
    }

    [Fact]
    public async Task A_disk_that_is_full_stops_nobody()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await Register(journal, "n1");
        using var export = Export(journal, "/dev/full");
        await export.StartAsync(CancellationToken.None);

        await Register(journal, "n2");
        _time.Advance(TimeSpan.FromMinutes(1));
        await export.StopAsync(CancellationToken.None);

        Assert.True(export.ExecuteTask!.IsCompletedSuccessfully);
        Assert.Equal(2, journal.Journal.Ledger.EventCount);
    }

    [Fact]
    public void After_a_line_that_was_cut_off_a_new_one_begins()
    {
        File.WriteAllText(_file, "{\"position\":7,");

        HeadsFile.Append(_file, ExportedHead.Sign(new(8, "ab", Told.Noon), SigningKey.Read(_key)));

        Assert.Equal([null, 8], Heads().Select(h => h?.Position));
    }

    [Fact]
    public void A_head_is_read_as_it_was_written_and_its_private_or_public_key_tells_it()
    {
        var head = ExportedHead.Sign(new(8, "ab", Told.Noon), SigningKey.Read(_key));

        Assert.Equal(head, ExportedHead.TryParse(head.Line()));
        Assert.Null(HeadKeys.Read([_key]).WhyNot(head));
        Assert.NotNull(HeadKeys.Read([_key]).WhyNot(head with { Hash = "cd" }));
        Assert.NotNull(HeadKeys.Read([_key]).WhyNot(head with { At = head.At.AddMicroseconds(1) }));
        Assert.NotNull(HeadKeys.Read([_key]).WhyNot(head with { Signature = "" }));
    }

    private HeadExport Export(TestJournal journal, string file) => new(
        new(file, SigningKey.Read(_key), TimeSpan.FromMinutes(1)), journal.Database, journal.Journal, _time, NullLogger<HeadExport>.Instance);

    private IReadOnlyList<ExportedHead?> Heads() => File.Exists(_file) ? HeadsFile.Read(_file) : [];

    private static Task<Verdict<NodeEvent>> Register(TestJournal journal, string node) => journal.Journal.DecideAsync<NodeEvent>(
        Streams.Node(node), _ => new NodeEvent.DevicesRegistered(node, [Asks.Card($"GPU-{node}")]));

    private static async Task Eventually(Func<bool> isSo)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!isSo())
            await Task.Delay(20, patience.Token);
    }
}
