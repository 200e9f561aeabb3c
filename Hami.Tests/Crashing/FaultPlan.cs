namespace Hami.Tests.Crashing;

/// <summary>What the network makes of one message and its answer.</summary>
internal enum Fault
{
    None,

    /// <summary>It comes a little later.</summary>
    Delay,

    /// <summary>It never arrives, and its sender hears that the connection broke.</summary>
    LoseRequest,

    /// <summary>It arrives and is obeyed, and its sender hears only that the connection broke.</summary>
    LoseReply,

    /// <summary>It is obeyed, and the connection breaks in the middle of the answer.</summary>
    CutReply,

    /// <summary>It never arrives, and its receiver does not hear that the sender is gone: it goes on waiting.</summary>
    Hang,

    /// <summary>It arrives twice.</summary>
    Repeat,

    /// <summary>Its sender hears that the connection broke; it arrives all the same, a little later.</summary>
    ComeLate,
}

/// <summary>What happens to one message.</summary>
/// <param name="Detail">Some number, for how late or how far.</param>
/// <param name="Ends">The process that sent it is no more after this.</param>
internal readonly record struct Fate(Fault Fault, uint Detail, bool Ends)
{
    /// <summary>How late it comes, where it does.</summary>
    public TimeSpan Late => TimeSpan.FromMilliseconds(Detail % 40);
}

/// <summary>What happens to each message of a process: a pure function of a seed and the message's number, so that a seed tells it all again.</summary>
/// <param name="PerThousand">How many of a thousand messages something happens to.</param>
/// <param name="Ends">The number of the message the process ends with; 0 for none.</param>
internal sealed record FaultPlan(int Seed, int PerThousand, long Ends)
{
    /// <summary>Nothing happens.</summary>
    public static readonly FaultPlan Quiet = new(0, 0, 0);

    public Fate Of(IReadOnlyList<Fault> possible, long number)
    {
        var chance = Mix((ulong)(uint)Seed << 32 ^ (ulong)number);
        var detail = (uint)(chance >> 40);
        if (number == Ends)
            return new(detail % 2 == 0 ? Fault.LoseRequest : Fault.LoseReply, detail, Ends: true);
        return new((int)(chance % 1000) < PerThousand ? possible[(int)(detail % (uint)possible.Count)] : Fault.None, detail / 16, Ends: false);
    }

    /// <summary>SplitMix64: every bit of the number moves half of the bits.</summary>
    private static ulong Mix(ulong number)
    {
        number += 0x9e3779b97f4a7c15;
        number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
        number = (number ^ number >> 27) * 0x94d049bb133111eb;
        return number ^ number >> 31;
    }
}
