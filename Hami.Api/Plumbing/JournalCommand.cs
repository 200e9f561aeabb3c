using Hami.Domain.Ledger;

namespace Hami.Api.Plumbing;

/// <summary>What waits for its turn in the journal's loop.</summary>
internal abstract class JournalCommand(string stream)
{
    public string Stream { get; } = stream;

    public abstract IEnumerable<object> Decide(ClusterLedger ledger);

    /// <summary>What was decided cannot be written; that is no reason for the others of the group to wait.</summary>
    public abstract void Reject(Exception why);

    public abstract void Complete();

    public abstract void Fail(Exception exception);
}

/// <summary>A command, and the caller who waits for its verdict.</summary>
internal sealed class JournalCommand<TEvent>(string stream, Func<ClusterLedger, Verdict<TEvent>> decide) : JournalCommand(stream) where TEvent : notnull
{
    private readonly TaskCompletionSource<Verdict<TEvent>> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _bug;
    private Verdict<TEvent> _verdict = Verdict<TEvent>.Nothing;

    public Task<Verdict<TEvent>> Answer => _answer.Task;

    /// <summary>A decider that throws is a bug of that command alone; the group goes on without it.</summary>
    public override IEnumerable<object> Decide(ClusterLedger ledger)
    {
        try
        {
            _verdict = decide(ledger);
        }
        catch (Exception e)
        {
            _bug = e;
            _verdict = Verdict<TEvent>.Nothing;
        }
        return _verdict.Events.Cast<object>();
    }

    public override void Reject(Exception why) => (_bug, _verdict) = (why, Verdict<TEvent>.Nothing);

    public override void Complete()
    {
        if (_bug is null)
            _answer.TrySetResult(_verdict);
        else
            _answer.TrySetException(_bug);
    }

    public override void Fail(Exception exception) => _answer.TrySetException(exception);
}

/// <summary>Another process has appended: read on. Decides nothing and takes no lock.</summary>
internal sealed class ReadOn() : JournalCommand("")
{
    public override IEnumerable<object> Decide(ClusterLedger ledger) => [];

    public override void Reject(Exception why)
    {
    }

    public override void Complete()
    {
    }

    public override void Fail(Exception exception)
    {
    }
}
