namespace Hami.Api.Asking;

/// <summary>What one question may cost.</summary>
internal static class Limits
{
    /// <summary>Rows of one page.</summary>
    public const int LargestPage = 500;

    /// <summary>Fields within fields; the introspection of the usual tools needs 15.</summary>
    public const int Depth = 16;

    /// <summary>Values in the answer, estimated: a page counts as full, a list within a row as <see cref="RowsWithinARow"/>.</summary>
    public const int Complexity = 60_000;

    /// <summary>What a list within a row counts as: a node has eight cards, a pod a share or two.</summary>
    public const int RowsWithinARow = 8;

    /// <summary>Bytes of one request.</summary>
    public const int BodyBytes = 1 << 20;

    /// <summary>Connections to PostgreSQL that questions have together; the journal has its own.</summary>
    public const int Connections = 8;

    /// <summary>Subscriptions of one process.</summary>
    public const int Subscriptions = 1000;

    /// <summary>Events that a subscription catches up with when it resumes.</summary>
    public const int CatchUp = 10_000;

    /// <summary>Changes that wait for a slow reader.</summary>
    public const int Waiting = 256;

    /// <summary>Time between two words that something happened.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(250);

    /// <summary>Time of one statement.</summary>
    public static readonly TimeSpan Statement = TimeSpan.FromSeconds(8);

    /// <summary>Time of one question.</summary>
    public static readonly TimeSpan Question = TimeSpan.FromSeconds(10);

    /// <summary>Time of one subscription: then it ends, and goes on where the client resumes it with the rights of then.</summary>
    public static readonly TimeSpan Subscription = TimeSpan.FromMinutes(15);
}
