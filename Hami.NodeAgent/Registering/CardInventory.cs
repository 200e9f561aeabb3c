using System.Collections.Immutable;

namespace Hami.NodeAgent.Registering;

/// <summary>The cards as they are now, and a way to wait for the next change.</summary>
internal sealed class CardInventory(ImmutableArray<Card> cards)
{
    private readonly Lock gate = new();
    private State now = new(cards);

    private readonly TaskCompletionSource known = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ImmutableArray<Card> Cards => now.Cards;

    /// <summary>Ends once somebody has looked which cards there are, if any.</summary>
    public Task Known => Cards.IsEmpty ? known.Task : Task.CompletedTask;

    /// <summary>The cards, with a task that ends when they are no longer these.</summary>
    public (ImmutableArray<Card> Cards, Task Changed) Watch()
    {
        var state = now;
        return (state.Cards, state.Changed.Task);
    }

    /// <summary>Returns false when nothing differs.</summary>
    public bool Set(ImmutableArray<Card> cards)
    {
        known.TrySetResult();
        State before;
        lock (gate)
        {
            if (now.Cards.SequenceEqual(cards))
                return false;
            before = now;
            now = new(cards);
        }
        before.Changed.SetResult();
        return true;
    }

    private sealed record State(ImmutableArray<Card> Cards)
    {
        public TaskCompletionSource Changed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
