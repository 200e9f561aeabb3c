namespace Hami.Tests.Crashing;

/// <summary>One process's way to one server: counts its messages, and says what becomes of each.</summary>
internal abstract class Wire(IReadOnlyList<Fault> possible)
{
    private readonly CancellationTokenSource _down = new();
    private FaultPlan _plan = FaultPlan.Quiet;
    private long _messages;

    /// <summary>Told when the message is reached that the process ends with.</summary>
    public Action OnEnd { get; set; } = () => { };

    /// <summary>Messages since the plan began.</summary>
    public long Messages => Interlocked.Read(ref _messages);

    /// <summary>Cancelled once nothing goes through any more.</summary>
    protected CancellationToken Down => _down.Token;

    /// <summary>What may happen to a message.</summary>
    public IReadOnlyList<Fault> Possible { get; set; } = possible;

    /// <summary>Follows a plan from its first message on.</summary>
    public void Follow(FaultPlan plan)
    {
        Interlocked.Exchange(ref _messages, 0);
        Volatile.Write(ref _plan, plan);
    }

    /// <summary>Ends every connection at once and lets none begin: nothing of this process is heard any more.</summary>
    public virtual void Cut() => _down.Cancel();

    protected Fate Next() => Volatile.Read(ref _plan).Of(Possible, Interlocked.Increment(ref _messages));
}
