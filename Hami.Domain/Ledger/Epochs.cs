namespace Hami.Domain.Ledger;

/// <summary>The streams of a node, one after the other.</summary>
public static class Epochs
{
    /// <summary>Events after which a node's stream is closed and the next begins, so that none grows for ever.</summary>
    public const int Longest = 10_000;

    /// <summary>What begins the next stream of a node; null while the present one is short.</summary>
    /// <param name="stream">The present one.</param>
    /// <param name="longest">Events it may have.</param>
    /// <param name="hash">Hash of the last event folded.</param>
    public static NodeEvent.NodeCarriedForward? Next(ClusterLedger ledger, string stream, int longest, string hash)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        return Streams.NodeOf(stream) is { } name && ledger.Nodes.TryGetValue(name, out var node) && node.Events >= longest
            ? new(name, ledger.Epochs.GetValueOrDefault(name, Streams.FirstEpoch) + 1, hash, NodeSnapshot.Of(name, node))
            : null;
    }
}
