using System.Threading.Channels;
using Hami.Api.Measuring;
using Hami.Domain.Ledger;
using Marten;
using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>The journal cannot write: PostgreSQL is away, or the process is stopping.</summary>
public sealed class JournalUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Rows written and deleted in the transaction that appends an event, so that the database itself guards what they promise.</summary>
public interface ICompanionTable
{
    /// <summary>SQL that creates the table when it is missing.</summary>
    string Create { get; }

    /// <summary>The statements that keep the table in step with what is appended at once.</summary>
    /// <param name="before">What was true before it.</param>
    /// <param name="after">What is true after all of it.</param>
    IEnumerable<NpgsqlBatchCommand> Follow(ClusterLedger before, ClusterLedger after, IEnumerable<object> happened);
}

/// <summary>What is true now.</summary>
public interface ILedgerReader
{
    /// <summary>Everything folded from the log so far.</summary>
    ClusterLedger Ledger { get; }
}

/// <summary>Told of every commit, in the order of the log.</summary>
public interface ILogFollower
{
    /// <summary>Called before the first of the log is told, with what a checkpoint holds; and again when another log has taken its place. Forget the rest.</summary>
    void Began(ClusterLedger from)
    {
    }

    /// <summary>Called in the journal's loop before its callers are answered; must be quick and must not throw.</summary>
    void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded);
}

/// <summary>
/// The one way into the log. A single loop takes all waiting commands, decides them one after another against the state
/// folded so far, appends what they decided in one transaction, and answers after the commit.
/// </summary>
public sealed partial class Journal(
    IDocumentStore store, NpgsqlDataSource database, ICompanionTable companion, Checkpoints checkpoints, IEnumerable<ILogFollower> followers, TimeProvider time,
    ILogger<Journal> logger, int longestEpoch = Epochs.Longest) : BackgroundService, ILedgerReader
{
    private const int LargestGroup = 256;
    private const int MostWaiting = 4096; // further callers wait to be let in
    private const int LoadedAtOnce = 5000;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly ILogFollower[] _followers = [.. followers];
    private readonly LogEntries _entries = new(store.Options.Serializer());
    private readonly Channel<JournalCommand> _waiting = Channel.CreateBounded<JournalCommand>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ClusterLedger _ledger = ClusterLedger.Empty;
    private LogPlace _place = LogPlace.Beginning;
    private volatile bool _writable;

    /// <inheritdoc />
    public ClusterLedger Ledger => _ledger;

    /// <summary>False while the last attempt to write failed.</summary>
    public bool IsWritable => _writable;

    /// <summary>Completes when the whole log has been folded once.</summary>
    public Task Loaded => _loaded.Task;

    /// <summary>Decides at the head of the log and appends what was decided.</summary>
    /// <param name="stream">Stream the events belong to.</param>
    /// <param name="decide">A pure function; it may be asked more than once.</param>
    /// <exception cref="JournalUnavailableException">Nothing is known to be written; ask again.</exception>
    public async Task<Verdict<TEvent>> DecideAsync<TEvent>(
        string stream, Func<ClusterLedger, Verdict<TEvent>> decide, CancellationToken cancellationToken = default) where TEvent : notnull
    {
        var waiting = new JournalCommand<TEvent>(stream, decide);
        try
        {
            await _waiting.Writer.WriteAsync(waiting, cancellationToken);
        }
        catch (ChannelClosedException e)
        {
            throw new JournalUnavailableException("The journal is stopping.", e);
        }
        return await waiting.Answer.WaitAsync(cancellationToken);
    }

    /// <summary>Has what another process appended up to this position folded soon.</summary>
    public void ReadOnTo(long position)
    {
        if (position > _ledger.Position)
            LookAgain();
    }

    /// <summary>Has the log read from where it was followed to; should another one be there, it is begun from anew.</summary>
    public void LookAgain()
    {
        // When the queue is full, its commands read on anyway.
        _waiting.Writer.TryWrite(new ReadOn());
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(WriteAsync, time, logger, stoppingToken);

    private async Task WriteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await LoadAsync(stoppingToken);
            while (await _waiting.Reader.WaitToReadAsync(stoppingToken))
            {
                var group = TakeGroup();
                try
                {
                    if (group.TrueForAll(command => command is ReadOn))
                    {
                        await FoldAsync(stoppingToken);
                        continue;
                    }
                    var start = time.GetTimestamp();
                    await CommitAsync(group, stoppingToken);
                    Meters.Took(Stage.JournalGroup, time.GetElapsedTime(start));
                    _writable = true;
                }
                catch (AnotherLogException e) when (!stoppingToken.IsCancellationRequested)
                {
                    _writable = false;
                    LogAnother(logger, e);
                    foreach (var command in group)
                        command.Fail(new JournalUnavailableException(e.Message, e));
                    await LoadAsync(stoppingToken);
                }
                catch (Exception e) when (!stoppingToken.IsCancellationRequested)
                {
                    _writable = false;
                    LogNotWritten(logger, group.Count, e);
                    foreach (var command in group)
                        command.Fail(new JournalUnavailableException($"The journal could not write: {e.Message}", e));
                    await Task.Delay(Pause, time, stoppingToken);
                    await ProbeAsync(stoppingToken);
                }
            }
        }
        finally
        {
            _writable = false;
            if (stoppingToken.IsCancellationRequested)
                _waiting.Writer.TryComplete();
            while (_waiting.Reader.TryRead(out var command))
                command.Fail(new JournalUnavailableException("The journal is stopping, or begins anew."));
        }
    }

    private List<JournalCommand> TakeGroup()
    {
        var group = new List<JournalCommand>();
        while (group.Count < LargestGroup && _waiting.Reader.TryRead(out var command))
            group.Add(command);
        return group;
    }

    private async Task LoadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await store.Storage.ApplyAllConfiguredChangesToDatabaseAsync();
                await JournalTables.EnsureAsync(database, companion.Create + Checkpoints.Create, cancellationToken);
                var (from, place) = await checkpoints.NearestAsync(long.MaxValue, cancellationToken);
                Begin(from, place);
                await FoldAsync(cancellationToken);
                await CommitAsync([], cancellationToken);
                _writable = true;
                LogLoaded(logger, _ledger.Position, _ledger.LiveByPod.Count);
                _loaded.TrySetResult();
                return;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                LogNotLoaded(logger, e);
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }

    /// <summary>Folds the log page by page and without the lock: what is committed has no gaps.</summary>
    private async Task FoldAsync(CancellationToken cancellationToken)
    {
        await using var session = store.QuerySession();
        while (await LogReader.ReadOnAsync(session, _place, LoadedAtOnce, cancellationToken) is { Events.Count: > 0 } page)
            Publish(page.Events.Aggregate(_ledger, Fold) with { Position = page.End.Position }, page.End, page.Events);
    }

    private void Begin(ClusterLedger from, LogPlace place)
    {
        (_ledger, _place) = (from, place);
        foreach (var follower in _followers)
            follower.Began(from);
    }

    /// <summary>After a failure: is the database back? Also folds a group whose commit succeeded although its answer was lost.</summary>
    private async Task ProbeAsync(CancellationToken cancellationToken)
    {
        while (!_writable)
        {
            try
            {
                await CommitAsync([], cancellationToken);
                _writable = true;
            }
            catch (AnotherLogException e) when (!cancellationToken.IsCancellationRequested)
            {
                LogAnother(logger, e);
                await LoadAsync(cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                LogNotWritten(logger, 0, e);
                while (_waiting.Reader.TryRead(out var command))
                    command.Fail(new JournalUnavailableException($"The journal could not write: {e.Message}", e));
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
    }

    private async Task CommitAsync(List<JournalCommand> group, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var head = await JournalTables.LockAsync(transaction, cancellationToken);
        var recorded = await UpToAsync(head, cancellationToken);
        var ledger = recorded.Aggregate(_ledger, Fold) with { Position = head.Position };
        var place = new LogPlace(head.Position, head.Hash);
        var at = NextTime(head.At);
        var (entries, after) = Decide(group, ledger, head.Hash, at);
        if (entries.Count > 0)
        {
            var last = await AppendAsync(transaction, entries, at, companion.Follow(ledger, after, entries.Select(e => e.Event)), cancellationToken);
            recorded.AddRange(entries.Select((entry, i) => new Recorded(last + 1 + i, at, entry.Stream, entry.Event)));
            place = new(last + entries.Count, entries[^1].Hash);
            after = after with { Position = place.Position };
        }
        // Not to be cut off: a commit whose answer is thrown away would leave callers without theirs.
        await transaction.CommitAsync(CancellationToken.None);

        Publish(after, place, recorded);
        foreach (var command in group)
            command.Complete();
        // Who was just answered and asks again is then in the next group, not in the one after it.
        await Task.Yield();
    }

    private void Publish(ClusterLedger ledger, LogPlace place, List<Recorded> recorded)
    {
        (_ledger, _place) = (ledger, place);
        if (recorded.Count == 0)
            return;
        foreach (var follower in _followers)
            follower.Committed(ledger, recorded);
        checkpoints.Consider(ledger, place);
    }

    /// <summary>What other processes have appended up to the head.</summary>
    private async Task<List<Recorded>> UpToAsync(JournalHead head, CancellationToken cancellationToken)
    {
        if (head.Position < _place.Position || head.Position == _place.Position && head.Hash != _place.Hash)
            throw new AnotherLogException(_place.Position);
        if (head.Position == _place.Position)
            return [];
        await using var session = store.QuerySession();
        return (await LogReader.ReadOnAsync(session, _place, int.MaxValue - 1, cancellationToken)).Events;
    }

    private (List<LogEntry> Entries, ClusterLedger After) Decide(List<JournalCommand> group, ClusterLedger ledger, string hash, DateTimeOffset at)
    {
        var entries = new List<LogEntry>();
        foreach (var command in group)
        {
            var before = entries.Count;
            try
            {
                foreach (var happened in command.Decide(ledger))
                    entries.Add(_entries.After(Last(), at, ledger.Current(command.Stream), happened));
            }
            catch (InvalidOperationException e)
            {
                command.Reject(e);
                entries.RemoveRange(before, entries.Count - before);
                continue;
            }
            foreach (var entry in entries.Skip(before))
                ledger = ClusterLedger.Evolve(ledger, entry.Stream, at, entry.Event);
            if (Epochs.Next(ledger, command.Stream, longestEpoch, Last()) is { } next)
            {
                entries.Add(_entries.After(Last(), at, Streams.Node(next.Node, next.Epoch), next));
                ledger = ClusterLedger.Evolve(ledger, entries[^1].Stream, at, next);
            }
        }
        return (entries, ledger);

        string Last() => entries.Count > 0 ? entries[^1].Hash : hash;
    }

    /// <summary>Appends, moves the head, tells the others; answers with the position before the first.</summary>
    private static async Task<long> AppendAsync(
        NpgsqlTransaction transaction, List<LogEntry> entries, DateTimeOffset at, IEnumerable<NpgsqlBatchCommand> companions, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(transaction.Connection, transaction) { BatchCommands = { LogAppend.Of(entries, at) } };
        foreach (var companion in companions)
            batch.BatchCommands.Add(companion);
        if (LogAppend.Close(entries) is { } close)
            batch.BatchCommands.Add(close);
        await batch.PrepareAsync(cancellationToken);
        return (long)(await batch.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>Now in whole microseconds, as PostgreSQL keeps it, and never before the last event.</summary>
    private DateTimeOffset NextTime(DateTimeOffset last)
    {
        var now = time.GetUtcNow();
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
        return now > last ? now : last;
    }

    private static ClusterLedger Fold(ClusterLedger ledger, Recorded e) => ClusterLedger.Evolve(ledger, e.Stream, e.At, e.Event);

    [LoggerMessage(Level = LogLevel.Information, Message = "Folded the log up to {Position}; {Live} allocations are live.")]
    private static partial void LogLoaded(ILogger logger, long position, int live);

    [LoggerMessage(Level = LogLevel.Warning, Message = "PostgreSQL cannot be read yet; trying again.")]
    private static partial void LogNotLoaded(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Starting again from the log as it is in PostgreSQL now; pods placed since then are taken over from their annotations where these can be trusted.")]
    private static partial void LogAnother(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "A group of {Count} commands was not written; their callers are told to ask again.")]
    private static partial void LogNotWritten(ILogger logger, int count, Exception exception);
}
