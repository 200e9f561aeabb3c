using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>What every card of a node said to the container that did not fit; kept only for somebody who asks why.</summary>
internal sealed class FitTrace(int cards)
{
    private readonly int[] _counts = new int[cards * CardRefusals.Count];
    private readonly CardUse[] _uses = new CardUse[cards];

    /// <summary>Position in the pod of the container that was tried last; −1 before the first.</summary>
    public int Container { get; private set; } = -1;

    /// <summary>What is taken of a card beside that container: by others, and by the pod's containers before it.</summary>
    public CardUse Beside(int card) => _uses[card];

    /// <summary>How often a card counts under a reason; a card that is cut into MIG instances may count under two.</summary>
    public int Of(int card, CardRefusal reason) => _counts[(card * CardRefusals.Count) + (int)reason];

    /// <summary>The next container is tried.</summary>
    public void Begin(int container, ReadOnlySpan<CardUse> uses)
    {
        Container = container;
        uses.CopyTo(_uses);
        Clear();
    }

    /// <summary>The container is tried in another way.</summary>
    public void Clear() => Array.Clear(_counts);

    public void Count(int card, CardRefusal reason) => _counts[(card * CardRefusals.Count) + (int)reason]++;
}
