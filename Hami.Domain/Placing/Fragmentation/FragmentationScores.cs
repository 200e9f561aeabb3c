using System.Numerics;

namespace Hami.Domain.Placing.Fragmentation;

/// <summary>What asks would cost on one state of one node, filled as they come.</summary>
/// <remarks>
/// Read and written without locks: every writer would write the same number, and one that is lost is computed again.
/// </remarks>
public sealed class FragmentationScores(FragmentationPolicy policy)
{
    /// <summary>What to keep for a shape that the node cannot take; more than any increase.</summary>
    public const int Unfit = int.MaxValue >> 1;

    // What a cell holds that nobody has filled.
    private const int Unknown = 0;

    private int[] _byShape = [];
    private UnfitReasons?[] _whyByShape = [];
    private long _unusable;

    /// <summary>Whose numbers these are; of another policy they say nothing.</summary>
    public FragmentationPolicy Policy { get; } = policy;

    /// <summary>What the workload cannot use of the node in this state, measured once.</summary>
    public long Unusable(NodeUse node)
    {
        // One more than the number, so that zero means not measured.
        var kept = Volatile.Read(ref _unusable);
        if (kept == Unknown)
        {
            kept = Policy.Workload.Unusable(node) + 1;
            Volatile.Write(ref _unusable, kept);
        }
        return kept - 1;
    }

    /// <summary>What <see cref="Keep"/> was given for this shape of ask; false when that has not happened.</summary>
    public bool TryGet(int shape, out int increase)
    {
        var cells = Volatile.Read(ref _byShape);
        var cell = (uint)shape < (uint)cells.Length ? Volatile.Read(ref cells[shape]) : Unknown;
        increase = cell >> 1;
        return cell != Unknown;
    }

    /// <summary>Why the node cannot take this shape of ask; null when that is not known.</summary>
    public UnfitReasons? WhyUnfit(int shape)
    {
        var cells = Volatile.Read(ref _whyByShape);
        return (uint)shape < (uint)cells.Length ? Volatile.Read(ref cells[shape]) : null;
    }

    public void KeepWhy(int shape, UnfitReasons why)
    {
        if (shape >= 0)
            Volatile.Write(ref Cells(ref _whyByShape, shape)[shape], why);
    }

    public void Keep(int shape, int increase)
    {
        // The lowest bit tells a kept zero from an empty cell.
        if (shape >= 0)
            Volatile.Write(ref Cells(ref _byShape, shape)[shape], (increase << 1) | 1);
    }

    /// <summary>The cells, enough of them for this shape.</summary>
    private static T[] Cells<T>(ref T[] kept, int shape)
    {
        var cells = Volatile.Read(ref kept);
        if (shape < cells.Length)
            return cells;
        var larger = new T[Math.Max(16, (int)BitOperations.RoundUpToPowerOf2((uint)shape + 1))];
        cells.CopyTo(larger, 0);
        Volatile.Write(ref kept, larger);
        return larger;
    }
}
