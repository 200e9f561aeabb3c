using System.Text.Json;
using System.Threading.Channels;
using Hami.Api.Measuring;
using Hami.Domain.Ledger;
using JasperFx.Events;
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

    /// <summary>The statements that keep the table in step with one event.</summary>
    /// <param name="before">What was true before it.</param>
    IEnumerable<NpgsqlBatchCommand> Follow(ClusterLedger before, object happened);
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
    ILogger<Journal> logger) : BackgroundService, ILedgerReader
{
    private const int LargestGroup = 256;
    private const int MostWaiting = 4096; // further callers wait to be let in
    private const int LoadedAtOnce = 5000;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly ILogFollower[] _followers = [.. followers];
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
        // When the queue is full, its commands read on anyway.
        if (position > _ledger.Position)
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

    /// <summary>What waits, stream by stream: Marten appends in that order, and what is decided one after another must be read so.</summary>
    private List<JournalCommand> TakeGroup()
    {
        var group = new List<JournalCommand>();
        while (group.Count < LargestGroup && _waiting.Reader.TryRead(out var command))
            group.Add(command);
        return [.. group.GroupBy(command => command.Stream, StringComparer.Ordinal).SelectMany(commands => commands)];
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
        await using var session = store.LightweightSession(Marten.Services.SessionOptions.ForTransaction(transaction));

        var recorded = await UpToAsync(head, session, cancellationToken);
        var ledger = recorded.Aggregate(_ledger, Fold) with { Position = head.Position };
        var place = new LogPlace(head.Position, head.Hash);
        head = head with { At = NextTime(head.At) };
        var (decided, after, statements) = Decide(group, ledger, head.At);
        if (decided.Count > 0)
        {
            var (events, hash) = Append(session, head, decided);
            await session.SaveChangesAsync(cancellationToken);
            var newHead = head with { Position = events.Max(e => e.Sequence), Hash = hash };
            await using var batch = new NpgsqlBatch(connection, transaction);
            foreach (var statement in statements.Append(JournalTables.MoveHead(newHead)).Append(JournalTables.Tell(newHead)))
                batch.BatchCommands.Add(statement);
            await batch.ExecuteNonQueryAsync(cancellationToken);
            recorded.AddRange(events.Select(LogReader.Recorded));
            after = after with { Position = newHead.Position };
            place = new(newHead.Position, newHead.Hash);
        }
        // Not to be cut off: a commit whose answer is thrown away would leave callers without theirs.
        await transaction.CommitAsync(CancellationToken.None);

        Publish(after, place, recorded);
        foreach (var command in group)
            command.Complete();
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
    private async Task<List<Recorded>> UpToAsync(JournalHead head, IQuerySession session, CancellationToken cancellationToken)
    {
        if (head.Position < _place.Position || head.Position == _place.Position && head.Hash != _place.Hash)
            throw new AnotherLogException(_place.Position);
        return head.Position == _place.Position ? [] : (await LogReader.ReadOnAsync(session, _place, int.MaxValue - 1, cancellationToken)).Events;
    }

    private (List<Decided> Decided, ClusterLedger After, List<NpgsqlBatchCommand> Statements) Decide(
        List<JournalCommand> group, ClusterLedger ledger, DateTimeOffset at)
    {
        var decided = new List<Decided>();
        var statements = new List<NpgsqlBatchCommand>();
        foreach (var command in group)
        {
            List<Decided> events = [.. command.Decide(ledger).Select(e => new Decided(command.Stream, e, store.Options.Serializer().ToCleanJson(e)))];
            if (events.Exists(e => HoldsNul(e.Json)))
            {
                command.Reject(new InvalidOperationException("The event holds a NUL character, which PostgreSQL cannot store."));
                continue;
            }
            decided.AddRange(events);
            foreach (var happened in events.Select(e => e.Event))
            {
                statements.AddRange(companion.Follow(ledger, happened));
                ledger = ClusterLedger.Evolve(ledger, command.Stream, at, happened);
            }
        }
        return (decided, ledger, statements);
    }

    /// <summary>
    /// One append per stream; the chain follows the order in which Marten writes them, stream by stream. No expected version:
    /// the lock is ours and everything up to the head is folded, so nobody can have been faster.
    /// </summary>
    private static (List<IEvent> Events, string Hash) Append(IDocumentSession session, JournalHead head, List<Decided> decided)
    {
        var hash = head.Hash;
        var all = new List<IEvent>(decided.Count);
        foreach (var stream in decided.GroupBy(d => d.Stream))
        {
            var events = stream.Select(d => session.Events.BuildEvent(d.Event)).ToList();
            foreach (var (e, json) in events.Zip(stream.Select(d => d.Json)))
            {
                hash = EventHash.Of(hash, head.At, stream.Key, e.EventTypeName, Body(json));
                e.Timestamp = head.At;
                e.SetHeader("hash", hash);
                if (AllocationIds.Of(e.Data) is { } allocation)
                    e.SetHeader("allocationId", allocation);
            }
            session.Events.Append(stream.Key, events);
            all.AddRange(events);
        }
        return (all, hash);
    }

    /// <summary>Now in whole microseconds, as PostgreSQL keeps it, and never before the last event.</summary>
    private DateTimeOffset NextTime(DateTimeOffset last)
    {
        var now = time.GetUtcNow();
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
        return now > last ? now : last;
    }

    private static JsonElement Body(string text)
    {
        using var json = JsonDocument.Parse(text);
        return json.RootElement.Clone();
    }

    private static bool HoldsNul(string json)
    {
        const string Nul = @"\u0000";
        for (var at = json.IndexOf(Nul, StringComparison.Ordinal); at >= 0; at = json.IndexOf(Nul, at + 1, StringComparison.Ordinal))
        {
            // After a backslash of its own it is text.
            var backslashes = 0;
            while (json[at - 1 - backslashes] == '\\')
                backslashes++;
            if (backslashes % 2 == 0)
                return true;
        }
        return false;
    }

    private static ClusterLedger Fold(ClusterLedger ledger, Recorded e) => ClusterLedger.Evolve(ledger, e.Stream, e.At, e.Event);

    /// <summary>An event to be appended, as it will be stored.</summary>
    private sealed record Decided(string Stream, object Event, string Json);

    [LoggerMessage(Level = LogLevel.Information, Message = "Folded the log up to {Position}; {Live} allocations are live.")]
    private static partial void LogLoaded(ILogger logger, long position, int live);

    [LoggerMessage(Level = LogLevel.Warning, Message = "PostgreSQL cannot be read yet; trying again.")]
    private static partial void LogNotLoaded(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Starting again from the log as it is in PostgreSQL now; pods placed since then are taken over from their annotations where these can be trusted.")]
    private static partial void LogAnother(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "A group of {Count} commands was not written; their callers are told to ask again.")]
    private static partial void LogNotWritten(ILogger logger, int count, Exception exception);
}
