namespace Hami.Domain.Placing;

/// <summary>Which of the nodes that fit is the best.</summary>
public enum NodePolicy
{
    /// <summary>The fullest.</summary>
    Binpack,

    /// <summary>The emptiest.</summary>
    Spread,

    /// <summary>The one whose leftovers stay most useful for the typical workload.</summary>
    Fragmentation,
}

public static class NodePolicies
{
    /// <summary>What <c>hami.io/node-scheduler-policy</c> may say.</summary>
    public const string Words = "binpack, spread or fragmentation";

    public static string Word(this NodePolicy policy) => policy switch
    {
        NodePolicy.Spread => "spread",
        NodePolicy.Fragmentation => "fragmentation",
        _ => "binpack",
    };

    /// <summary>The policy a word names, or null.</summary>
    public static NodePolicy? TryParse(string? text) => text?.Trim() switch
    {
        "binpack" => NodePolicy.Binpack,
        "spread" => NodePolicy.Spread,
        "fragmentation" => NodePolicy.Fragmentation,
        _ => null,
    };
}
