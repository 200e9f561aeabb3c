namespace Hami.Api.Observing;

/// <summary>How much of what nodes tell is taken and kept.</summary>
internal static class TelemetryLimits
{
    /// <summary>Bytes of one report.</summary>
    public const int ReportBytes = 1 << 20;

    /// <summary>Moments of one report.</summary>
    public const int Moments = 60;

    /// <summary>Cards of one node.</summary>
    public const int CardsOfANode = 64;

    /// <summary>Shares of one node that were told of in the last minutes.</summary>
    public const int SharesOfANode = 1024;

    /// <summary>Series of all nodes: eight cards and forty shares each of 5,000 nodes, and as much again.</summary>
    public const int Series = 480_000;

    /// <summary>Reports a node may send at once after a silence, and then one a second.</summary>
    public const int Burst = 30;

    /// <summary>Sentences in one answer.</summary>
    public const int Sentences = 4;

    /// <summary>Sums that wait to be written while PostgreSQL is away.</summary>
    public const int WaitingRows = 1_000_000;

    /// <summary>How long full resolution is kept in memory.</summary>
    public static readonly TimeSpan Ring = TimeSpan.FromMinutes(15);

    /// <summary>Full resolution: of two moments nearer than this the later is shown.</summary>
    public static readonly TimeSpan Cell = TimeSpan.FromSeconds(5);

    /// <summary>What is summed up as one.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromMinutes(5);

    /// <summary>How long after a period its sums are written: what is told until then is in the same row.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    /// <summary>Older moments are not taken; an agent keeps no more while the control plane is away.</summary>
    public static readonly TimeSpan Late = TimeSpan.FromMinutes(30);

    /// <summary>How far a node's clock may be ahead of ours.</summary>
    public static readonly TimeSpan Ahead = TimeSpan.FromMinutes(1);

    /// <summary>How long what was last told is shown as what is now.</summary>
    public static readonly TimeSpan Current = TimeSpan.FromMinutes(1);

    /// <summary>How long sums are kept.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    public static int Cells => (int)(Ring / Cell);

    public static int Seconds => (int)Period.TotalSeconds;
}
